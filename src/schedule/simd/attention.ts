// A softmax between two products as one kernel: a grid step takes rows that share their keys and walks along those, block by block, so that
// keys and values are read once and scores never leave the first-level cache. What was summed for smaller maxima is scaled when a larger
// one is found (schedule/softmaxProduct.ts).
import { range } from '../../core/integers.ts';
import { ZERO, addIndex, constantIndex, floorDiv, indexSymbol, scaleIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { add, binary, compare, constant, index, load, mul, pack, select, splat, store, unary } from '../../kernel/build.ts';
import type { Expr, Kernel } from '../../kernel/ir.ts';
import type { SimdFacts } from '../../runtime/device.ts';
import type { Chain } from '../chains.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { clamped, substitute } from '../emit/places.ts';
import { writeStage } from '../emit/stages.ts';
import type { Stage } from '../nest.ts';
import { applyPoint, loadKept, localPoint } from '../point.ts';
import type { PointExpr } from '../point.ts';
import { findSoftmaxProduct, rowOf, trafficOfChain } from '../softmaxProduct.ts';
import type { SoftmaxProduct } from '../softmaxProduct.ts';
import { createSlot } from '../storage.ts';
import type { MemorySlot } from '../storage.ts';
import { cheapest, partsFor, productCost, registerTiles } from './contractions/blocking.ts';
import type { RegisterTile } from './contractions/blocking.ts';
import { joinPhases } from './contractions/lanes.ts';
import { panelPitch } from './contractions/panels.ts';
import { openGrid } from './contractions/product.ts';
import { storeColumns } from './contractions/results.ts';
import { least, minus, multiplyAddOf, nameIndex, writeTile } from './contractions/tile.ts';
import type { DepthRange, TileOperands } from './contractions/tile.ts';

interface AttentionShape {
  /** Rows of a grid step at most, in tiles of as many as both products have. */
  readonly tiles: number;
  readonly scores: RegisterTile;
  readonly product: RegisterTile;
  /** Keys of a block. */
  readonly keys: number;
}

/** Fewer rows that share their keys are not worth turning these around. */
const LEAST_ROWS = 8;
/** Rows that should share what is copied of keys and values. */
const SHARING_ROWS = 64;
/** Keys and values of a block, and its scores, stay in these shares of the second-level cache. */
const KEYS_SHARE = 1 / 4;
const MOST_KEYS = 512;
const MOST_ROWS = 128;

const ceilDiv = (a: number, b: number): number => Math.ceil(a / b);
const F32 = 'f32';

function chooseShape(p: SoftmaxProduct, facts: SimdFacts): AttentionShape | undefined {
  const lanes = facts.vectorLanes;
  const isFit = lanes > 1 && p.group >= LEAST_ROWS && [p.scores, p.product].every((c) => c.sum.dtype === F32);
  if (!isFit) return undefined;
  const most = Math.max(Math.min(Math.floor((facts.l2Bytes * KEYS_SHARE) / (4 * (p.depth + p.columns))), MOST_KEYS), lanes);
  const keys = Math.ceil(ceilDiv(p.keys, ceilDiv(p.keys, most)) / lanes) * lanes;
  const costOf = (columns: number, depth: number, tile: RegisterTile): number => productCost({ rows: p.group, blocks: [{ columns, count: 1 }], depth }, tile, lanes);
  const tiles = registerTiles(facts).flat();
  const pairs = tiles.flatMap((scores) => {
    const same = tiles.filter((tile) => tile.rows === scores.rows && tile.rows <= p.group);
    return same.length === 0 ? [] : [{ scores, product: cheapest(same, (tile) => costOf(p.columns, p.keys, tile)) }];
  });
  const pair = cheapest(pairs, (t) => costOf(Math.min(keys, p.keys), p.depth, t.scores) * ceilDiv(p.keys, keys) + costOf(p.columns, p.keys, t.product));
  const rowTiles = ceilDiv(p.group, pair.scores.rows);
  const groups = p.rows / p.group;
  const parts = partsFor((p.rows * p.keys * (p.depth + p.columns)) / lanes, groups, rowTiles, Math.max(Math.floor(p.group / SHARING_ROWS), 1));
  return { ...pair, keys, tiles: Math.min(ceilDiv(rowTiles, parts), ceilDiv(MOST_ROWS, pair.scores.rows)) };
}

/** Scratch memory by its slot and its name in the kernel. */
interface Scratch {
  readonly slot: MemorySlot;
  readonly name: string;
}

/** A tile of rows: its number in the step, and the first of its rows in the group. */
interface RowTile {
  readonly own: IndexExpr;
  /** The last tile of a group reaches back, so that none of its rows is past the end. */
  readonly first: IndexExpr;
  /** Where it would begin otherwise. */
  readonly plain: IndexExpr;
}

/** Keys from `first` on, in the panels. */
interface KeyBlock {
  readonly first: IndexExpr;
  readonly count: number;
}

/** What a tile of rows is multiplied with, and where sums go. */
interface ProductPlace {
  readonly buffer: string;
  /** Elements from row to row, and before the first. */
  readonly pitch: number;
  readonly first: IndexExpr;
  readonly rows: TileOperands['rows'];
  /** Panels of columns, of so many lines each. */
  readonly panel: string;
  readonly lines: number;
}

/** The place of a column of a line in panels of `width` columns and `lines` lines. */
const inTiles = (column: IndexExpr, line: IndexExpr, width: number, lines: number): IndexExpr =>
  addIndex(scaleIndex(floorDiv(column, width), (lines - 1) * width), addIndex(column, scaleIndex(line, width)));

class AttentionWriter {
  readonly emitter = new Emitter();
  readonly #p: SoftmaxProduct;
  readonly #shape: AttentionShape;
  readonly #lanes: number;
  readonly #rows: number;
  readonly #rowTiles: number;
  /** Columns of the scores of a row, and of its sums, in scratch memory. */
  readonly #pitch: { readonly scores: number; readonly sums: number };
  readonly #keys: Scratch;
  readonly #values: Scratch;
  readonly #scores: Scratch;
  readonly #sums: Scratch;
  /** The largest score and the sum of weights of every row so far. */
  readonly #largest: Scratch;
  readonly #totals: Scratch;
  /** Whether all keys are one block: then nothing is ever scaled. */
  readonly #isOne: boolean;

  constructor(p: SoftmaxProduct, shape: AttentionShape, lanes: number) {
    [this.#p, this.#shape, this.#lanes] = [p, shape, lanes];
    this.#rows = shape.scores.rows;
    this.#rowTiles = ceilDiv(p.group, this.#rows);
    const rows = shape.tiles * this.#rows;
    const padded = (columns: number, tile: RegisterTile): number => Math.ceil(columns / (tile.vectors * lanes)) * tile.vectors * lanes;
    const [keys, columns] = [padded(shape.keys, shape.scores), padded(p.columns, shape.product)];
    this.#pitch = { scores: panelPitch(keys, lanes), sums: panelPitch(columns, lanes) };
    const scratch = (elements: number): Scratch => {
      const slot = createSlot('scratch', { dtype: F32, shape: [elements] });
      return { slot, name: this.emitter.buffer(slot, 'write') };
    };
    this.#keys = scratch(p.depth * keys);
    this.#values = scratch(shape.keys * columns);
    this.#scores = scratch(this.#rows * this.#pitch.scores);
    this.#sums = scratch(rows * this.#pitch.sums);
    [this.#largest, this.#totals] = [scratch(rows), scratch(rows)];
    this.#isOne = p.keys <= shape.keys;
  }

  #value(e: PointExpr): Expr {
    this.emitter.countUses(e);
    return this.emitter.point(e);
  }

  write(): Kernel['grid'] {
    const { emitter } = this;
    const [p, { tiles, keys }] = [this.#p, this.#shape];
    const { position, grid } = openGrid(emitter, [p.rows / p.group, ceilDiv(this.#rowTiles, tiles)]);
    const [group, part] = [position[0]!, position[1]!];
    const begin = scaleIndex(part, tiles);
    const count = emitter.bind(this.#rowTiles % tiles === 0 ? index(tiles) : least(minus(index(this.#rowTiles), emitter.index(begin)), index(tiles)));
    const overTiles = (write: (tile: RowTile) => void): void => {
      const name = emitter.fresh('tile');
      emitter.loop(name, index(0), count, 1, () => {
        const own = indexSymbol(name, 0, tiles - 1);
        const plain = scaleIndex(addIndex(begin, own), this.#rows);
        write({ own, plain, first: clamped(emitter, plain, p.group - this.#rows + 1) });
      });
    };
    if (!this.#isOne) this.#clear(tiles * this.#rows);
    const block = (at: KeyBlock): void => {
      this.#fillKeys(group, at);
      this.#fillValues(group, at);
      overTiles((tile) => this.#writeTile(group, tile, at));
    };
    const whole = Math.floor(p.keys / keys);
    const name = emitter.fresh('block');
    emitter.loop(name, index(0), index(whole), 1, () => block({ first: nameIndex(emitter, scaleIndex(indexSymbol(name, 0, Math.max(whole - 1, 0)), keys)), count: keys }));
    if (p.keys > whole * keys) block({ first: constantIndex(whole * keys), count: p.keys - whole * keys });
    overTiles((tile) => this.#store(group, tile));
    return grid;
  }

  #clear(rows: number): void {
    const { emitter } = this;
    const fill = ({ name }: Scratch, value: number, elements: number, lanes: number): void => {
      const at = emitter.fresh('clear');
      emitter.loop(at, index(0), index(elements), lanes, () => emitter.push(store(name, emitter.index(indexSymbol(at, 0, elements - lanes)), splat(constant(F32, value), lanes))));
    };
    fill(this.#largest, -Infinity, rows, 1);
    fill(this.#totals, 0, rows, 1);
    fill(this.#sums, 0, rows * this.#pitch.sums, this.#lanes);
  }

  /** Values of `e` at a vector's lanes, of which there are `count`: the last again beyond. */
  #lanesOf(count: number, e: (lane: IndexExpr) => PointExpr): Expr {
    const { emitter } = this;
    const lane = emitter.fresh('lane');
    if (count < this.#lanes) return pack(range(this.#lanes).map((i) => this.#value(e(constantIndex(Math.min(i, count - 1))))));
    let vector: Expr | undefined;
    emitter.withLanes(lane, this.#lanes, () => {
      vector = splat(this.#value(e(indexSymbol(lane, 0, this.#lanes - 1))), this.#lanes);
    });
    return emitter.bind(vector!);
  }

  /** Runs `write` for every vector of `extent` elements, with its first and how many there are; whole ones in a loop. */
  #overVectors(extent: number, write: (first: IndexExpr, count: number) => void): void {
    const whole = Math.floor(extent / this.#lanes) * this.#lanes;
    const name = this.emitter.fresh('vec');
    this.emitter.loop(name, index(0), index(whole), this.#lanes, () => write(indexSymbol(name, 0, Math.max(whole - this.#lanes, 0)), this.#lanes));
    if (extent > whole) this.emitter.scoped(() => write(constantIndex(whole), extent - whole));
  }

  /** Elements [tile][term][key of the tile], where keys are neighbours. */
  #fillKeys(group: IndexExpr, { first, count }: KeyBlock): void {
    const { emitter } = this;
    const p = this.#p;
    const width = this.#shape.scores.vectors * this.#lanes;
    const put = (key: IndexExpr, term: IndexExpr, value: Expr): void => {
      emitter.push(store(this.#keys.name, emitter.index(inTiles(key, term, width, p.depth)), value));
    };
    const key = (own: IndexExpr, term: IndexExpr): PointExpr => p.key(rowOf(p, group, ZERO), addIndex(first, own), term);
    const turned = p.ofKeys.alongSum ? Math.floor(p.depth / this.#lanes) * this.#lanes : 0;
    this.#overVectors(count, (at, some) => {
      const term = emitter.fresh('term');
      emitter.loop(term, index(0), index(turned), this.#lanes, () => {
        const from = indexSymbol(term, 0, Math.max(turned - this.#lanes, 0));
        const lines = range(this.#lanes).map((i) => this.#lanesOf(this.#lanes, (lane) => key(addIndex(at, Math.min(i, some - 1)), addIndex(from, lane))));
        joinPhases(emitter, lines).forEach((vector, i) => put(at, addIndex(from, i), vector));
      });
      const rest = emitter.fresh('term');
      emitter.loop(rest, index(turned), index(p.depth), 1, () => {
        const one = indexSymbol(rest, turned, p.depth - 1);
        put(
          at,
          one,
          this.#lanesOf(some, (lane) => key(addIndex(at, lane), one)),
        );
      });
    });
    // Tiles have all of their columns: what lies behind the last key is computed and not used.
    const [written, end] = [ceilDiv(count, this.#lanes) * this.#lanes, ceilDiv(count, width) * width];
    for (let at = written; at < end; at += this.#lanes) {
      const term = emitter.fresh('term');
      emitter.loop(term, index(0), index(p.depth), 1, () => put(constantIndex(at), indexSymbol(term, 0, p.depth - 1), splat(constant(F32, 0), this.#lanes)));
    }
  }

  /** Elements [tile][key][column of the tile]. */
  #fillValues(group: IndexExpr, { first, count }: KeyBlock): void {
    const { emitter } = this;
    const p = this.#p;
    const width = this.#shape.product.vectors * this.#lanes;
    const name = emitter.fresh('key');
    emitter.loop(name, index(0), index(count), 1, () => {
      const key = indexSymbol(name, 0, count - 1);
      const put = (column: IndexExpr, value: Expr): void => {
        emitter.push(store(this.#values.name, emitter.index(inTiles(column, key, width, this.#shape.keys)), value));
      };
      this.#overVectors(p.columns, (at, some) => {
        put(
          at,
          this.#lanesOf(some, (lane) => p.value(rowOf(p, group, ZERO), addIndex(first, key), addIndex(at, lane))),
        );
      });
      const [written, end] = [ceilDiv(p.columns, this.#lanes) * this.#lanes, ceilDiv(p.columns, width) * width];
      for (let at = written; at < end; at += this.#lanes) put(constantIndex(at), splat(constant(F32, 0), this.#lanes));
    });
  }

  /** One tile of rows and a block of keys: scores, weights, and what they add to the sums. */
  #writeTile(group: IndexExpr, tile: RowTile, block: KeyBlock): void {
    const { emitter } = this;
    const [p, { scores, product, keys }] = [this.#p, this.#shape];
    const rows = range(this.#rows).map((i) => rowOf(p, group, addIndex(tile.first, i)));
    this.#writeProduct(scores, ceilDiv(block.count, scores.vectors * this.#lanes), { steps: index(p.depth), most: p.depth }, undefined, {
      buffer: this.#scores.name,
      pitch: this.#pitch.scores,
      first: ZERO,
      rows: (k) => rows.map((row) => this.#value(p.query(row, k))),
      panel: this.#keys.name,
      lines: p.depth,
    });
    const own = emitter.fresh('row');
    emitter.loop(own, index(0), index(this.#rows), 1, () => this.#weigh(group, tile, indexSymbol(own, 0, this.#rows - 1), block));
    const weight = (i: number, k: IndexExpr): Expr => load(this.#scores.name, emitter.index(addIndex(k, i * this.#pitch.scores)), F32);
    const resumes = this.#isOne ? undefined : true;
    this.#writeProduct(product, ceilDiv(p.columns, product.vectors * this.#lanes), { steps: index(block.count), most: block.count }, resumes, {
      buffer: this.#sums.name,
      pitch: this.#pitch.sums,
      first: scaleIndex(tile.own, this.#rows * this.#pitch.sums),
      rows: (k) => range(this.#rows).map((i) => weight(i, k)),
      panel: this.#values.name,
      lines: keys,
    });
  }

  /** A tile of rows times the panels of `tiles` tiles of columns. */
  #writeProduct(tile: RegisterTile, tiles: number, depth: DepthRange, resumes: true | undefined, from: ProductPlace): void {
    const { emitter } = this;
    const width = tile.vectors * this.#lanes;
    const name = emitter.fresh('columns');
    emitter.loop(name, index(0), index(tiles), 1, () => {
      const number = indexSymbol(name, 0, tiles - 1);
      const panel = scaleIndex(number, from.lines * width);
      const columns = (k: IndexExpr): Expr[] => {
        const base = emitter.bind(emitter.index(addIndex(panel, scaleIndex(k, width))));
        return range(tile.vectors).map((v) => load(from.panel, add(base, index(v * this.#lanes)), F32, this.#lanes));
      };
      const operands: TileOperands = { rows: from.rows, columns };
      const base = emitter.bind(emitter.index(addIndex(from.first, scaleIndex(number, width))));
      const place = { buffer: from.buffer, base, pitch: from.pitch };
      writeTile(emitter, { tile, lanes: this.#lanes, dtype: F32, depth, operands, multiplyAdd: multiplyAddOf(undefined), place, resumes });
    });
  }

  #stage(stage: Stage): void {
    writeStage({ emitter: this.emitter, lanes: this.#lanes, outerLanes: 1, overlap: false, substitution: substitute(this.emitter) }, stage);
  }

  /** The scores of a row become weights relative to the largest so far; what was summed before is scaled to it. */
  #weigh(group: IndexExpr, tile: RowTile, own: IndexExpr, { first, count }: KeyBlock): void {
    const { emitter } = this;
    const p = this.#p;
    const axis = { name: emitter.fresh('k'), extent: count };
    const key = indexSymbol(axis.name, 0, count - 1);
    const { slot } = this.#scores;
    const offset = addIndex(scaleIndex(own, this.#pitch.scores), key);
    const [products, scored, most, base, weighed, sum] = ['products', 'scored', 'most', 'base', 'weighed', 'sum'].map((name) => emitter.fresh(name));
    emitter.define(products!, constant('i32', 0));
    const product = loadKept(slot, offset, products!);
    const score = p.score(rowOf(p, group, addIndex(tile.first, own)), addIndex(first, key), product);
    this.#stage({ kind: 'keep', axes: [axis], slot, offset, value: score, local: scored! });
    this.#stage({ kind: 'reduce', fn: 'max', dtype: F32, axes: [axis], value: loadKept(slot, offset, scored!), local: most! });
    const place = addIndex(scaleIndex(tile.own, this.#rows), own);
    const before = this.#isOne ? undefined : emitter.bind(load(this.#largest.name, emitter.index(place), F32));
    const found = emitter.named(most!).expr;
    const now = before === undefined ? found : emitter.bind(binary('max', before, found));
    // Where there was nothing but −∞, its powers are zero.
    const start = emitter.bind(select(compare('eq', now, constant(F32, -Infinity)), constant(F32, 0), now));
    emitter.define(base!, start);
    const power = applyPoint({ op: 'binary', attrs: { fn: 'sub' } }, F32, [loadKept(slot, offset, scored!), localPoint(base!, F32)]);
    this.#stage({ kind: 'keep', axes: [axis], slot, offset, value: applyPoint({ op: 'unary', attrs: { fn: 'exp' } }, F32, [power]), local: weighed! });
    this.#stage({ kind: 'reduce', fn: 'sum', dtype: F32, axes: [axis], value: loadKept(slot, offset, weighed!), local: sum! });
    const total = emitter.named(sum!).expr;
    if (before === undefined) return emitter.push(store(this.#totals.name, emitter.index(place), total));
    const scale = emitter.bind(unary('exp', binary('sub', before, start)));
    emitter.push(store(this.#largest.name, emitter.index(place), now));
    emitter.push(store(this.#totals.name, emitter.index(place), add(mul(load(this.#totals.name, emitter.index(place), F32), scale), total)));
    this.#scale(scaleIndex(place, this.#pitch.sums), scale);
  }

  #scale(first: IndexExpr, by: Expr): void {
    const { emitter } = this;
    const [name, { name: buffer }] = [emitter.fresh('vec'), this.#sums];
    emitter.loop(name, index(0), index(this.#p.columns), this.#lanes, () => {
      const at = emitter.index(addIndex(first, indexSymbol(name, 0, this.#p.columns - 1)));
      emitter.push(store(buffer, at, mul(load(buffer, at, F32, this.#lanes), splat(by, this.#lanes))));
    });
  }

  /** Sums over weights that add up to one, and what is fused behind. */
  #store(group: IndexExpr, tile: RowTile): void {
    const { emitter } = this;
    const p = this.#p;
    const own = emitter.fresh('row');
    const skipped = tile.first === tile.plain ? index(0) : emitter.bind(minus(emitter.index(tile.plain), emitter.index(tile.first)));
    emitter.loop(own, skipped, index(this.#rows), 1, () => {
      const at = indexSymbol(own, 0, this.#rows - 1);
      const place = addIndex(scaleIndex(tile.own, this.#rows), at);
      const total = emitter.bind(load(this.#totals.name, emitter.index(place), F32));
      const divisor = p.isGuarded ? emitter.bind(select(compare('eq', total, constant(F32, 0)), constant(F32, 1), total)) : total;
      const base = emitter.bind(emitter.index(scaleIndex(place, this.#pitch.sums)));
      const row = rowOf(p, group, addIndex(tile.first, at));
      storeColumns(emitter, index(p.columns), p.columns, this.#lanes, (first, lanes, lane) => {
        const local = emitter.fresh('sum');
        emitter.define(local, emitter.bind(binary('div', load(this.#sums.name, add(base, emitter.index(first)), F32, lanes), splat(divisor, lanes))));
        const { value, offset } = p.result(row, addIndex(first, lane), localPoint(local, F32));
        emitter.store(p.product.result.slot, offset, splat(this.#value(value), lanes));
      });
    });
  }
}

/** The chain as one kernel; undefined where it is something else, or has too few rows. */
export function lowerAttention(chain: Chain, facts: SimdFacts): readonly LoweredKernel[] | undefined {
  const found = findSoftmaxProduct(chain);
  const shape = found === undefined ? undefined : chooseShape(found, facts);
  if (found === undefined || shape === undefined) return undefined;
  const writer = new AttentionWriter(found, shape, facts.vectorLanes);
  const grid = writer.write();
  const traffic = trafficOfChain(chain, found);
  return [{ ...writer.emitter.finish('attention', grid, { flops: chain.flops, bytes: traffic.readBytes + traffic.writeBytes }), traffic }];
}
