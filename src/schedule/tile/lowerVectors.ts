// A nest as vector instructions, with the elements of a tile along the last outer axis: elementwise work, and reductions over other axes.
// A tile is as long as scratch memory allows and as short as keeps all cores busy; what does not fill one has instructions of its own.
import { substitute } from '../emit/places.ts';
import { addIndex, delinearize, indexSymbol, scaleIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { byteWidth } from '../../core/dtype.ts';
import { compare, index } from '../../kernel/build.ts';
import type { TileFacts } from '../../runtime/device.ts';
import { findPairs } from '../inPlace.ts';
import type { Axis, Nest } from '../nest.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { writeStage } from '../emit/stages.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import { GRID_VAR, coreBounds } from './cores.ts';
import { costOf } from './cost.ts';
import { instruct } from './instruct.ts';
import { instructionsIn, loopTurns, turnsOf } from './loops.ts';

/** Fewer elements than this are not worth handing to the vector unit. */
const LEAST_LANES = 16;
/** Elements of a tile below which a core gains nothing from others sharing its work. */
const LEAST_TILE = 512;
/** Elements of a tile that takes turns with others, and how often a core's tiles do, where there are as many. */
const LEAST_TURN = 2048;
const TURNS_OF_CORE = 2;

/** How the last outer axis is cut into tiles. */
interface Tiling {
  readonly axis: Axis;
  readonly others: readonly Axis[];
  readonly lanes: number;
  /** Tiles in a row that have memory of their own. */
  readonly turns: number;
}

/** Tiles of a core. */
const tilesOf = ({ axis, others, lanes }: Omit<Tiling, 'turns'>, { cores }: TileFacts): number => Math.ceil((pointsOf(others) * Math.ceil(axis.extent / lanes)) / cores);

function emit(name: string, nest: Nest, { axis, others, lanes, turns }: Tiling, facts: TileFacts): LoweredKernel {
  const emitter = new Emitter(nest.dynamic);
  const strips = Math.ceil(axis.extent / lanes);
  const whole = Math.floor(axis.extent / lanes);
  const tiles: Axis = { name: 'strip', extent: strips };
  const total = pointsOf(others) * strips;
  const size = tilesOf({ axis, others, lanes }, facts);
  const cores = Math.ceil(total / size);
  loopTurns(emitter, coreBounds(emitter, { axes: [...others, tiles], size, shift: 0, cores }), total, turns, (point) => {
    const position = delinearize(
      point,
      [...others, tiles].map((a) => a.extent),
    );
    const outer = others.map((a, i): readonly [string, IndexExpr] => [a.name, position[i]!]);
    const strip = position.at(-1)!;
    const write = (start: IndexExpr, width: number): void => {
      const lane = emitter.fresh('lane');
      emitter.withLanes(lane, width, () => {
        const along = addIndex(start, indexSymbol(lane, 0, width - 1));
        const substitution = substitute(emitter, new Map([...outer, [axis.name, along]]));
        for (const stage of nest.stages) writeStage({ emitter, lanes: 1, outerLanes: width, substitution, overlap: false }, stage);
      });
    };
    const rest = axis.extent - whole * lanes;
    if (rest === 0) return write(scaleIndex(strip, lanes), lanes);
    if (whole === 0) return write(scaleIndex(strip, 0), rest);
    const condition = compare('lt', emitter.index(strip), index(whole));
    const then = emitter.block(() => write(scaleIndex(strip, lanes), lanes), true);
    const last = emitter.block(() => write(addIndex(scaleIndex(strip, 0), whole * lanes), rest), true);
    emitter.push({ kind: 'if', condition, then, else: last });
  });
  const lowered = emitter.finish(name, { var: GRID_VAR, extent: cores }, { flops: 0, bytes: 0 });
  return { ...lowered, kernel: { ...lowered.kernel, tiles: facts.rules } };
}

const roundDown = (x: number, multiple: number): number => Math.floor(x / multiple) * multiple;
const roundUp = (x: number, multiple: number): number => Math.ceil(x / multiple) * multiple;

/** Elements of a tile where each takes `bytes`. */
function lanesFor(axis: Axis, others: readonly Axis[], bytes: number, turns: number, { cores, rules }: TileFacts): number {
  const multiple = Math.max(rules.countMultiple, rules.alignBytes);
  const most = roundDown(rules.scratchBytes / bytes, multiple);
  const shared = Math.ceil((axis.extent * pointsOf(others)) / cores);
  const least = turns > 1 ? Math.max(Math.ceil(shared / turns / TURNS_OF_CORE), LEAST_TURN) : Math.max(shared, LEAST_TILE);
  return Math.min(most, roundUp(Math.min(least, axis.extent), multiple));
}

/** In tiles that take `turns`; undefined where there are no instructions for it, or not enough tiles to take turns. */
function lowerInTurns(name: string, nest: Nest, axis: Axis, others: readonly Axis[], turns: number, facts: TileFacts): LoweredKernel | undefined {
  const { rules } = facts;
  const multiple = Math.max(rules.countMultiple, rules.alignBytes);
  // What an element takes is known once there are instructions; those of few lanes are as many.
  const trial = instruct(emit(name, nest, { axis, others, lanes: multiple, turns }, facts), facts, turns > 1);
  if ('problem' in trial || turnsOf(instructionsIn(trial.kernel.body) / turns, turns) < turns) return undefined;
  const bytes = trial.kernel.scratch.reduce((sum, s) => sum + (s.elements / multiple) * byteWidth(s.dtype), 0);
  // What does not fill a tile may have memory of its own, which is not known before: then tiles are shorter.
  for (let lanes = lanesFor(axis, others, Math.max(bytes, 1), turns, facts); lanes >= multiple; lanes = roundDown(lanes / 2, multiple)) {
    if (tilesOf({ axis, others, lanes }, facts) < turns) return undefined;
    const lowered = instruct(emit(name, nest, { axis, others, lanes, turns }, facts), facts, turns > 1);
    if (!('problem' in lowered)) return lowered;
  }
  return undefined;
}

/** The nest as vector instructions; undefined where it has none, or they would not pay. */
export function lowerVectors(name: string, nest: Nest, raw: Nest, facts: TileFacts, flops?: number): LoweredKernel | undefined {
  const axis = nest.outer.at(-1);
  if (axis === undefined || axis.extent < LEAST_LANES || pointsOf(nest.outer) === 0 || nest.stages.some((s) => s.kind !== 'store' && s.kind !== 'reduce')) return undefined;
  const others = nest.outer.slice(0, -1);
  const lowered = lowerInTurns(name, nest, axis, others, 2, facts) ?? lowerInTurns(name, nest, axis, others, 1, facts);
  if (lowered === undefined) return undefined;
  const traffic = trafficOf(raw);
  return { ...lowered, kernel: { ...lowered.kernel, cost: costOf(nest, traffic, flops) }, traffic, inPlace: findPairs(raw) };
}
