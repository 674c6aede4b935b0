// The way back of minimal filtering: sums of a panel of filters become results, which are stored with what is fused behind the convolution, in
// vectors along filters, or turned around where neighbours of a line lie side by side instead.
import { ZERO, addIndex, floorDiv, indexSymbol, modIndex, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { add, index, load, store } from '../../../kernel/build.ts';
import type { Expr } from '../../../kernel/ir.ts';
import type { Position } from '../../positions.ts';
import type { Emitter } from '../../emit/emitter.ts';
import { rectangle, transformBoth } from './filtering.ts';
import type { Block } from './image.ts';
import { storeColumns, storeTurned } from './results.ts';
import { at, least, minus, nameIndex } from './tile.ts';
import { innerPosition } from './window.ts';
import { countPoints, lanesOf, tileSize, tilesOf, widthOf } from './winogradPlan.ts';
import type { WinogradPlan } from './winogradPlan.ts';

export interface Step {
  readonly emitter: Emitter;
  readonly plan: WinogradPlan;
  readonly batch: Position;
  readonly block: Block;
  /** Sums of one panel of filters: [tile of registers][point], each row by row. */
  readonly sums: string;
  /** The results of one tile, or, where they are turned around, of a row of tiles: [row][column][filter of the panel]. */
  readonly results: string;
}

/** Back to the results of tile `t`, written to [row][column][filter] at `to`, `pitch` elements from row to row. */
function transformOutput({ emitter, plan, sums, results }: Step, t: IndexExpr, to: IndexExpr, pitch: number): void {
  const { filtering, tile } = plan;
  const { high, wide } = filtering;
  const lanes = lanesOf(plan);
  const width = widthOf(plan);
  const vector = emitter.fresh('vec');
  const from = nameIndex(emitter, addIndex(scaleIndex(floorDiv(t, tile.rows), countPoints(plan) * tileSize(plan)), scaleIndex(modIndex(t, tile.rows), width)));
  emitter.loop(vector, index(0), index(width), lanes, () => {
    const v = indexSymbol(vector, 0, width - lanes);
    const start = emitter.bind(emitter.index(addIndex(from, v)));
    const points = rectangle(high.side, wide.side, (y, x) => emitter.bind(load(sums, at(start, (y * wide.side + x) * tileSize(plan)), 'f32', lanes)));
    const place = emitter.bind(emitter.index(addIndex(to, v)));
    transformBoth(emitter, high.output, wide.output, points).forEach((line, y) =>
      line.forEach((value, x) => emitter.push(store(results, at(place, y * pitch + x * width), value))),
    );
  });
}

/** How many of `size` results from `first` on there are. */
const leftOf = (emitter: Emitter, extent: number, first: IndexExpr, size: number): Expr =>
  extent % size === 0 && extent > first.max ? index(size) : emitter.bind(least(minus(index(extent), emitter.index(first)), index(size)));

/** Stores what is fused behind a result: of a filter of a panel, at a row and a column. */
function storeResult({ emitter, plan, batch }: Step, panel: IndexExpr, filter: IndexExpr, at: Position, value: Expr): void {
  const { site, geometry } = plan;
  const channel = addIndex(addIndex(scaleIndex(batch[1]!, geometry.filters), scaleIndex(panel, widthOf(plan))), filter);
  site.store(emitter, [batch[0]!, channel, ...innerPosition(geometry, site.shape.length - 2, at)], value);
}

/** Back to results, tile by tile, and stored with what is fused behind them: the filters of one panel, `count` of them. */
export function writeResults(step: Step, panel: IndexExpr, count: Expr): void {
  const { emitter, plan, block, results } = step;
  const { geometry, filtering, cut } = plan;
  const { high, wide } = filtering;
  const lanes = lanesOf(plan);
  const width = widthOf(plan);
  const name = emitter.fresh('tile');
  emitter.loop(name, index(0), index(tilesOf(cut)), 1, () => {
    const t = indexSymbol(name, 0, tilesOf(cut) - 1);
    transformOutput(step, t, ZERO, wide.results * width);
    const top = nameIndex(emitter, scaleIndex(addIndex(block.row, floorDiv(t, cut.columns)), high.results));
    const side = nameIndex(emitter, scaleIndex(addIndex(block.column, modIndex(t, cut.columns)), wide.results));
    const [rows, columns] = [leftOf(emitter, geometry.high.output, top, high.results), leftOf(emitter, geometry.wide.output, side, wide.results)];
    const [row, column] = [emitter.fresh('row'), emitter.fresh('col')];
    emitter.loop(row, index(0), rows, 1, () =>
      emitter.loop(column, index(0), columns, 1, () => {
        const [y, x] = [indexSymbol(row, 0, high.results - 1), indexSymbol(column, 0, wide.results - 1)];
        const place = emitter.bind(emitter.index(scaleIndex(addIndex(scaleIndex(y, wide.results), x), width)));
        storeColumns(emitter, count, width, lanes, (first, number, lane) =>
          storeResult(step, panel, addIndex(first, lane), [addIndex(top, y), addIndex(side, x)], load(results, add(place, emitter.index(first)), 'f32', number)),
        );
      }),
    );
  });
}

/** The same where neighbours of a line lie side by side instead: row of tiles by row, turned around on the way. */
export function turnResults(step: Step, panel: IndexExpr, count: Expr): void {
  const { emitter, plan, block, results } = step;
  const { geometry, filtering, cut } = plan;
  const { high, wide } = filtering;
  const width = widthOf(plan);
  const line = cut.columns * wide.results;
  const [name, column, row] = [emitter.fresh('tiles'), emitter.fresh('tile'), emitter.fresh('row')];
  emitter.loop(name, index(0), index(cut.rows), 1, () => {
    const r = indexSymbol(name, 0, cut.rows - 1);
    emitter.loop(column, index(0), index(cut.columns), 1, () => {
      const x = indexSymbol(column, 0, cut.columns - 1);
      transformOutput(step, addIndex(scaleIndex(r, cut.columns), x), scaleIndex(x, wide.results * width), line * width);
    });
    const top = nameIndex(emitter, scaleIndex(addIndex(block.row, r), high.results));
    const side = nameIndex(emitter, scaleIndex(block.column, wide.results));
    const [rows, positions] = [leftOf(emitter, geometry.high.output, top, high.results), leftOf(emitter, geometry.wide.output, side, line)];
    emitter.loop(row, index(0), rows, 1, () => {
      const y = indexSymbol(row, 0, high.results - 1);
      const turned = {
        buffer: results,
        dtype: 'f32',
        base: scaleIndex(y, line * width),
        pitch: width,
        positions,
        mostPositions: Math.min(line, geometry.wide.output),
        columns: count,
      } as const;
      storeTurned(emitter, turned, lanesOf(plan), (position, filter, value) => storeResult(step, panel, filter, [addIndex(top, y), addIndex(side, position)], value));
    });
  });
}
