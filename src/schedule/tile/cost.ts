// What a nest costs, for profiles and for deciding whether sharing it out pays.
import type { Kernel } from '../../kernel/ir.ts';
import type { Nest } from '../nest.ts';
import { scalarCost } from '../emit/lanes.ts';
import { pointsOf } from '../traffic.ts';
import type { Traffic } from '../traffic.ts';

/** `flops`: what the graph says, where it does. */
export function costOf(nest: Nest, traffic: Traffic, flops: number | undefined): Kernel['cost'] {
  const work = nest.stages.reduce((sum, s) => sum + pointsOf(s.axes) * (scalarCost([s.value]) + 1), 0);
  return { flops: flops ?? Math.round(pointsOf(nest.outer) * work), bytes: traffic.readBytes + traffic.writeBytes };
}
