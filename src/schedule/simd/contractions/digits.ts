// Products of few rows with weights of few bits, on machines that multiply words of bytes. Weights are multiplied as the integers that they
// are; what a row holds is written in three digits of eight bits with sign, x = scale·(h·2^16 + m·2^8 + l), with one power of two as the scale of
// a stretch of the depth. So a few instructions take as many products as a word has parts, where floats take as many conversions and more.
// Numerics: an element is off by at most 1.01·2^-23 of the largest magnitude in its stretch. The sums of a stretch are exact; they are scaled and added up
// in f32. A stretch with anything infinite, or beyond 3.37e38, gives NaN.
import { addIndex, constantIndex, indexSymbol, linearIndex, scaleIndex, substituteIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { dtypes, isFloat } from '../../../core/dtype.ts';
import { elementCount } from '../../../core/shape.ts';
import { add, assign, binary, bitcast, cast, compare, constant, declare, dot, fma, index, load, mul, select, splat, store, unary, variable } from '../../../kernel/build.ts';
import type { Expr, Kernel } from '../../../kernel/ir.ts';
import { computeType } from '../../emit/compute.ts';
import { Emitter } from '../../emit/emitter.ts';
import type { LoweredKernel } from '../../emit/emitter.ts';
import type { PointExpr } from '../../point.ts';
import { createSlot, wordsOf } from '../../storage.ts';
import type { MemorySlot } from '../../storage.ts';
import { hasVectors } from '../templates.ts';
import type { ContractionSite, ContractionTemplate } from '../templates.ts';
import { GRID_VAR } from '../lowerNest.ts';
import { partsFor, streamedWork } from './blocking.ts';
import { COLUMN, DEPTH, derive, leafName, packLeaves } from './derived.ts';
import type { Derivation, Leaf, Panels, WriteVectors } from './derived.ts';
import { matrixProducts } from './matmul.ts';
import type { MatrixProduct } from './matmul.ts';
import { openGrid } from './product.ts';
import { storeRows } from './results.ts';
import { at, least, minus, nameIndex, quotientUp } from './tile.ts';

const DIGITS = 3;
const DIGIT_BITS = 8;
const [WORD_BYTES, WORD_BITS] = [4, 32];
/** Steps of the depth with one scale at most: their digits multiplied by bytes without sign stay exact in f32, or nearly so. */
const MOST_STEPS = 64;
const MOST_VECTORS = 4;
/** Instructions for each vector of weights that floats take before they are multiplied, and for each vector of a stretch's sums here. */
const CONVERSION = 3;
const COMBINATION = 9;
/** Bits of f32: of its exponent, of infinity, and what rounds a mantissa up that three digits would not hold. */
const [MANTISSA_BITS, INFINITE, ROUNDED_UP] = [23, 0x7f800000, 0x10000];
const MAGNITUDE_BITS = 22;
const BIAS = 127;

/** Weights (parts − zero)·factor, with the parts in words. */
interface Weights {
  readonly leaf: Leaf;
  readonly bits: number;
  /** What is added to the parts, so that they have no sign. */
  readonly lift: number;
  readonly zero: PointExpr | undefined;
  readonly factor: PointExpr;
}

interface Plan {
  readonly product: MatrixProduct;
  readonly derivation: Derivation;
  readonly weights: Weights;
  /** Steps of the depth with one scale of the digits. */
  readonly steps: number;
  /** Vectors of columns that a tile holds. */
  readonly vectors: number;
}

/** The value without conversions between numbers that hold all of it. */
const unconverted = (e: PointExpr): PointExpr => (e.kind === 'apply' && e.op.op === 'cast' && (e.dtype === 'i32' || e.dtype === 'f32') ? unconverted(e.args[0]!) : e);

/** Weights as integers of few bits less a zero point that stays the same along `steps`, times a factor that does. */
function weightsOf({ scaled, leaves }: Derivation): Weights | undefined {
  if (scaled === undefined) return undefined;
  const leafOf = (e: PointExpr): Leaf | undefined => (e.kind === 'local' ? leaves[leaves.findIndex((_, i) => leafName(i) === e.name)] : undefined);
  const value = unconverted(scaled.value);
  const isDifference = value.kind === 'apply' && value.op.op === 'binary' && value.op.attrs.fn === 'sub';
  const leaf = leafOf(isDifference ? unconverted(value.args[0]!) : value);
  const zero = isDifference ? unconverted(value.args[1]!) : undefined;
  const isEven = leaves.every(({ period }, i) => zero?.symbols.has(leafName(i)) !== true || period >= scaled.steps);
  if (leaf === undefined || !leaf.isWide || leaf.period !== 1 || isFloat(leaf.slot.dtype) || !isEven) return undefined;
  const { bits, class: kind } = dtypes[leaf.slot.dtype];
  if (bits > DIGIT_BITS) return undefined;
  return { leaf, bits, lift: kind === 'int' ? 2 ** (bits - 1) : 0, zero, factor: scaled.factor };
}

/** The most steps that divide a stretch, in whole vectors and words. */
const stepsOf = (stretch: number, unit: number): number => {
  for (let steps = Math.min(stretch, MOST_STEPS); steps >= unit; steps--) if (stretch % steps === 0 && steps % unit === 0) return steps;
  return 0;
};

function planFor(site: ContractionSite): Plan | undefined {
  const { simd, words } = site.capabilities;
  const { dtype } = site.node.outputs[0]!;
  if (words !== 'bytes' || dtype !== 'f32') return undefined;
  for (const product of matrixProducts(site) ?? []) {
    const { m, n, depth, batch } = product;
    if (batch.length > 0 || m.depth.length !== 1 || m.depth[0]!.stride !== 1 || m.lines !== undefined) continue;
    const derivation = derive(site, n, { batch, depth, dtype });
    const weights = derivation === undefined ? undefined : weightsOf(derivation);
    if (derivation === undefined || weights === undefined) continue;
    const steps = stepsOf(derivation.scaled!.steps, Math.max(simd.vectorLanes, WORD_BITS / weights.bits));
    const rows = m.extent;
    const most = Math.floor((simd.vectorRegisters - 2) / ((DIGITS + 1) * rows + 2));
    if (steps === 0 || most === 0) continue;
    // Of as many weights as a vector of words has.
    const asFloats = WORD_BYTES * (CONVERSION + rows);
    const asDigits = 2 + DIGITS * rows + (WORD_BYTES * COMBINATION * rows) / steps;
    if (asDigits < asFloats) return { product, derivation, weights, steps, vectors: Math.min(most, MOST_VECTORS, Math.ceil(n.extent / simd.vectorLanes)) };
  }
  return undefined;
}

const i32 = (value: number, lanes: number): Expr => splat(constant('i32', value), lanes);
const f32 = (value: number, lanes: number): Expr => splat(constant('f32', value), lanes);

/** Digits of the rows, [rows, DIGITS, depth], and of each stretch its scale and the sum of its elements, [rows, stretches, 2]. */
interface Rows {
  readonly digits: MemorySlot;
  readonly scales: MemorySlot;
}

/** The kernel that writes rows in digits. */
function writeDigits(site: ContractionSite, { product: { m, depth }, steps }: Plan, { digits, scales }: Rows): LoweredKernel {
  const { vectorLanes: lanes } = site.capabilities.simd;
  const emitter = new Emitter();
  const stretches = depth / steps;
  const parts = partsFor((m.extent * depth * DIGIT_BITS) / lanes, m.extent, stretches);
  const each = Math.ceil(stretches / parts);
  const { position, grid } = openGrid(emitter, [m.extent, Math.ceil(stretches / each)]);
  const [row, part] = [position[0]!, position[1]!];
  const begin = scaleIndex(part, each);
  const count = stretches % each === 0 ? index(each) : emitter.bind(least(minus(index(stretches), emitter.index(begin)), index(each)));
  const [source, target, factors] = [emitter.buffer(m.storage.slot, 'read'), emitter.buffer(digits, 'write'), emitter.buffer(scales, 'write')];
  const name = emitter.fresh('stretch');
  emitter.loop(name, index(0), count, 1, () => {
    const stretch = addIndex(begin, indexSymbol(name, 0, each - 1));
    const first = nameIndex(emitter, scaleIndex(stretch, steps));
    const from = emitter.bind(emitter.index(linearIndex([row, first], [m.stride, 1], m.storage.offset)));
    const values = Array.from({ length: steps / lanes }, (_, v) => emitter.bind(cast('f32', load(source, at(from, v * lanes), computeType(m.storage.slot.dtype), lanes))));
    const magnitudes = values.map((x) => binary('and', bitcast('i32', x), i32(0x7fffffff, lanes))).reduce((a, b) => emitter.bind(binary('max', a, b)));
    const largest = emitter.bind({ kind: 'across', type: { dtype: 'i32', lanes: 1 }, fn: 'max', x: magnitudes });
    // Exponents as they stand in f32; no scale is below the least normal number.
    const exponentOf = (power: number): Expr => constant('i32', (BIAS + power) << MANTISSA_BITS);
    const lowest = exponentOf(MAGNITUDE_BITS + 1 - BIAS);
    const rounded = add(binary('min', largest, constant('i32', INFINITE)), constant('i32', ROUNDED_UP));
    const exponent = emitter.bind(binary('max', binary('and', rounded, constant('i32', INFINITE)), lowest));
    const up = bitcast('f32', binary('sub', exponentOf(BIAS - 1), binary('sub', exponent, lowest)));
    const down = bitcast('f32', binary('sub', exponent, constant('i32', MAGNITUDE_BITS << MANTISSA_BITS)));
    const scale = emitter.bind(select(compare('ge', exponent, constant('i32', INFINITE)), constant('f32', NaN), down));
    const factor = emitter.bind(splat(up, lanes));
    const to = emitter.bind(emitter.index(linearIndex([row, first], [DIGITS * depth, 1])));
    const whole = values.map((x) => emitter.bind(cast('i32', unary('rint', mul(x, factor)))));
    whole.forEach((x, v) => {
      let rest = x;
      for (let digit = 0; digit < DIGITS; digit++) {
        // The lowest byte, with its sign; what it is less than the number goes on.
        emitter.push(store(target, at(to, digit * depth + v * lanes), rest));
        rest = emitter.bind(binary('shr', add(rest, i32(2 ** (DIGIT_BITS - 1), lanes)), i32(DIGIT_BITS, lanes)));
      }
    });
    const total: Expr = { kind: 'across', type: { dtype: 'i32', lanes: 1 }, fn: 'add', x: whole.reduce(add) };
    const place = emitter.bind(emitter.index(linearIndex([row, stretch], [2 * stretches, 2])));
    emitter.push(store(factors, place, scale));
    emitter.push(store(factors, at(place, 1), mul(cast('f32', total), scale)));
  });
  return emitter.finish('write_digits', grid, { flops: 2 * m.extent * depth, bytes: 0 });
}

/** The weights' parts in words, [panel][word][width], once at load: the lowest bits of its bytes belong to the first four steps, those above to the next. */
function packWords(site: ContractionSite, { leaf, bits, lift }: Weights, { extent, depth, width }: Panels): MemorySlot {
  const perWord = WORD_BITS / bits;
  const [words, panels] = [depth / perWord, Math.ceil(extent / width)];
  const mask = constant('u32', 2 ** bits - 1);
  const write = (emitter: Emitter, _source: unknown, target: MemorySlot): Kernel['grid'] => {
    emitter.define('g', variable(GRID_VAR));
    const panel = indexSymbol('g', 0, panels - 1);
    const [word, column] = [indexSymbol('word', 0, words - 1), indexSymbol('i', 0, width - 1)];
    emitter.loop('word', index(0), index(words), 1, () =>
      emitter.loop('i', index(0), index(width), 1, () => {
        emitter.define(COLUMN, emitter.bind(least(emitter.index(addIndex(scaleIndex(panel, width), column)), index(extent - 1))));
        const parts = Array.from({ length: perWord }, (_, step) => {
          const place = substituteIndex(leaf.offset, new Map([[DEPTH, addIndex(scaleIndex(word, perWord), step)]]));
          const value = load(emitter.buffer(leaf.slot, 'read'), emitter.index(place), computeType(leaf.slot.dtype));
          const own = binary('and', add(cast('u32', value), constant('u32', lift)), mask);
          return binary('shl', own, constant('u32', (step % WORD_BYTES) * DIGIT_BITS + Math.floor(step / WORD_BYTES) * bits));
        });
        const to = linearIndex([panel, word, column], [words * width, width, 1]);
        emitter.push(
          store(
            emitter.buffer(target, 'write'),
            emitter.index(to),
            bitcast(
              'i32',
              parts.reduce((a, b) => binary('or', a, b)),
            ),
          ),
        );
      }),
    );
    return { var: GRID_VAR, extent: panels };
  };
  const storage = { slot: leaf.slot, offset: 0, strides: [1] };
  return site.pack(storage, `words of ${bits} by ${width}|${extent}|${depth}|${leaf.offset.key}`, 'i32', panels * words * width, write).slot;
}

/** What a tile of columns is multiplied from. */
interface Multiplication {
  readonly emitter: Emitter;
  readonly lanes: number;
  readonly plan: Plan;
  readonly panels: Panels;
  readonly panel: IndexExpr;
  /** Words of the weights, and of the digits. */
  readonly words: string;
  readonly digits: string;
  /** Scales and sums of stretches of the rows. */
  readonly scales: string;
  readonly vectorsOf: WriteVectors;
}

/** The sums of digits times parts of weights over a stretch: for each row and digit a vector for each of the columns. */
function sumDigits({ emitter, lanes, panel, words, digits, panels: { depth, width }, plan }: Multiplication, stretch: IndexExpr): Expr[][][] {
  const { weights, steps, product, vectors } = plan;
  const { bits } = weights;
  const [perWord, rows] = [WORD_BITS / bits, product.m.extent];
  const names = Array.from({ length: rows }, () => Array.from({ length: DIGITS }, () => Array.from({ length: vectors }, () => emitter.fresh('a'))));
  for (const name of names.flat(2)) emitter.push(declare(name, i32(0, lanes)));
  const begin = emitter.bind(emitter.index(linearIndex([panel, scaleIndex(stretch, steps / perWord)], [(depth / perWord) * width, width])));
  const first = emitter.bind(emitter.index(scaleIndex(stretch, steps / WORD_BYTES)));
  const mask = i32(
    Array.from({ length: WORD_BYTES }, (_, i) => (2 ** bits - 1) << (i * DIGIT_BITS)).reduce((a, b) => a | b),
    lanes,
  );
  for (let word = 0; word < steps / perWord; word++) {
    const whole = Array.from({ length: vectors }, (_, v) => emitter.bind(load(words, at(begin, word * width + v * lanes), 'i32', lanes)));
    for (let part = 0; part < DIGIT_BITS / bits; part++) {
      const moved = (x: Expr): Expr => (part === 0 ? x : binary('shr', x, i32(part * bits, lanes)));
      const bytes = whole.map((x) => (bits === DIGIT_BITS ? x : emitter.bind(binary('and', moved(x), mask))));
      names.forEach((row, r) =>
        row.forEach((sums, digit) => {
          const place = ((r * DIGITS + digit) * depth) / WORD_BYTES + (word * DIGIT_BITS) / bits + part;
          const x = emitter.bind(splat(load(digits, at(first, place), 'i32'), lanes));
          sums.forEach((name, v) => emitter.push(assign(name, dot('bytes', bytes[v]!, x, variable(name, 'i32', lanes)))));
        }),
      );
    }
  }
  return names.map((row) => row.map((sums) => sums.map((name) => variable(name, 'i32', lanes))));
}

/** l + 2^8·m + 2^16·h, in f32. */
function combined([low, middle, high]: readonly Expr[]): Expr {
  const { lanes } = low!.type;
  const lower = cast('f32', add(binary('shl', middle!, i32(DIGIT_BITS, lanes)), low!));
  return fma(cast('f32', high!), f32(2 ** (2 * DIGIT_BITS), lanes), lower);
}

/** The products of all rows and a tile of columns: a vector of sums for each row and vector of columns. */
function multiplyTile(multiplication: Multiplication): Expr[][] {
  const { emitter, lanes, plan, panel, scales, vectorsOf } = multiplication;
  const { weights, steps, product, vectors } = plan;
  const stretches = product.depth / steps;
  const names = Array.from({ length: product.m.extent }, () => Array.from({ length: vectors }, () => emitter.fresh('a')));
  for (const name of names.flat()) emitter.push(declare(name, f32(0, lanes)));
  const symbol = emitter.fresh('stretch');
  emitter.loop(symbol, index(0), index(stretches), 1, () => {
    const stretch = indexSymbol(symbol, 0, stretches - 1);
    const parts = sumDigits(multiplication, stretch);
    const columns = (e: PointExpr): Expr[] => vectorsOf(emitter, e, panel, scaleIndex(stretch, steps)).map((x) => emitter.bind(x));
    const factors = columns(weights.factor);
    const zeros = weights.zero === undefined ? undefined : columns(weights.zero).map((x) => emitter.bind(add(cast('f32', x), f32(weights.lift, lanes))));
    names.forEach((row, r) => {
      const place = emitter.bind(emitter.index(linearIndex([constantIndex(r), stretch], [2 * stretches, 2])));
      const [unit, total] = [0, 1].map((i) => splat(emitter.bind(load(scales, at(place, i), 'f32')), lanes));
      row.forEach((name, v) => {
        const taken = unary('neg', mul(total!, zeros?.[v] ?? f32(weights.lift, lanes)));
        const sum = fma(combined(parts[r]!.map((digit) => digit[v]!)), unit!, taken);
        emitter.push(assign(name, fma(sum, factors[v]!, variable(name, 'f32', lanes))));
      });
    });
  });
  return names.map((row) => row.map((name) => variable(name, 'f32', lanes)));
}

function lowerDigits(site: ContractionSite, plan: Plan): readonly LoweredKernel[] {
  const { vectorLanes: lanes } = site.capabilities.simd;
  const { product: p, derivation, weights, steps, vectors } = plan;
  const [rows, extent, depth, width] = [p.m.extent, p.n.extent, p.depth, vectors * lanes];
  const digits = createSlot('value', { dtype: 'i8', shape: [rows, DIGITS, depth] });
  const scales = createSlot('value', { dtype: 'f32', shape: [rows, depth / steps, 2] });
  const panels: Panels = { extent, depth, width };
  const vectorsOf = packLeaves(site, derivation.leaves, panels);
  const packed = packWords(site, weights, panels);
  const emitter = site.createEmitter();
  const tiles = Math.ceil(extent / width);
  const each = Math.ceil(tiles / partsFor(streamedWork({ batches: 1, rows, columns: extent, depth }, lanes), 1, tiles));
  const { position, grid } = openGrid(emitter, [Math.ceil(tiles / each)]);
  const [begin, ofStep] = [position[0]!, each * width];
  const count = emitter.bind(least(minus(index(extent), emitter.index(scaleIndex(begin, ofStep))), index(ofStep)));
  const results = emitter.buffer(createSlot('scratch', { dtype: 'f32', shape: [rows, ofStep] }), 'write');
  const buffers = { words: emitter.buffer(packed, 'read'), digits: emitter.buffer(wordsOf(digits, 'bytes'), 'read'), scales: emitter.buffer(scales, 'read') };
  const name = emitter.fresh('tile');
  emitter.loop(name, index(0), quotientUp(emitter, count, width), 1, () => {
    const tile = indexSymbol(name, 0, each - 1);
    const panel = nameIndex(emitter, addIndex(scaleIndex(begin, each), tile));
    const put = (sum: Expr, r: number, v: number): void =>
      emitter.push(store(results, emitter.index(linearIndex([constantIndex(r), tile, constantIndex(v)], [ofStep, width, lanes])), sum));
    multiplyTile({ emitter, lanes, plan, panels, panel, vectorsOf, ...buffers }).forEach((row, r) => row.forEach((sum, v) => put(sum, r, v)));
  });
  storeRows(emitter, { buffer: results, dtype: 'f32', rows, columns: ofStep, count }, lanes, (r, column, value) =>
    site.store(emitter, p.position([], r, addIndex(scaleIndex(begin, ofStep), column)), value),
  );
  return [writeDigits(site, plan, { digits, scales }), site.finish(emitter, 'digits', grid)];
}

/** Fewer products than this are not worth a kernel that writes digits. */
const SMALL = 1 << 16;

export const digitsTemplate: ContractionTemplate = {
  name: 'digits',
  plan(site) {
    const plan = hasVectors(site) ? planFor(site) : undefined;
    if (plan === undefined || elementCount([plan.product.m.extent, plan.product.n.extent, plan.product.depth]) < SMALL) return undefined;
    return () => lowerDigits(site, plan);
  },
};
