// The random family draws on the host: its operators say so in their declarations.
import type { randomOps } from '../../graph/ops/random.ts';
import type { Lowerings } from '../lowering.ts';

export const randomLowerings: Lowerings<keyof typeof randomOps> = {
  RandomNormal: 'host',
  RandomNormalLike: 'host',
  RandomUniform: 'host',
  RandomUniformLike: 'host',
  Multinomial: 'host',
  Bernoulli: 'host',
};
