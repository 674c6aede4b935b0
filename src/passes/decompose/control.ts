// Control flow has no decomposition of its own: `specialize` inlines branches and unrolls loops whose conditions are known.
import type { controlOps } from '../../graph/ops/control.ts';
import type { Lowerings } from '../lowering.ts';

export const controlLowerings: Lowerings<keyof typeof controlOps> = { If: 'host', Loop: 'host', Scan: 'host', SequenceMap: 'host' };
