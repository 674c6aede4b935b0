// Instruction selection: statements with vector expressions, of as many lanes as a tile has elements, become vector instructions of one
// operation each on tiles in scratch memory, and copies between them and global memory. What the vector unit has not got is told.
import { byteWidth } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { bitcast, binary, cast, compare, constant, declare, index, load, select, splat, store, unary, variable } from '../../kernel/build.ts';
import { computeType } from '../../kernel/computeType.ts';
import type { BinaryFn, BufferParam, CompareFn, ComputeDType, Expr, Kernel, ScratchBuffer, Stmt } from '../../kernel/ir.ts';
import { mapOperands } from '../../kernel/rewriteKernel.ts';
import type { ExprOf } from '../../kernel/rewriteKernel.ts';
import { assignedIn } from '../../kernel/statements.ts';
import type { TileFacts, VectorFn } from '../../runtime/device.ts';

/** Where a vector lies, or the scalar that it has in every lane. */
type Value = { readonly tile: string; readonly at: Expr; readonly dtype: NumericDType } | { readonly scalar: Expr };

export interface Selected {
  readonly body: readonly Stmt[];
  /** Tiles, each written before it is read in every step of the loops around both; several may share memory (allocate.ts). */
  readonly tiles: readonly ScratchBuffer[];
}

/** How a compute type lies in a tile. */
const storedAs = (type: ComputeDType): NumericDType => (type === 'index' ? 'i64' : type);
const ONE_OF: ReadonlySet<ComputeDType> = new Set(['f32', 'i32', 'u32', 'bool']);

class Selector {
  readonly tiles: ScratchBuffer[] = [];
  /** Why it cannot be done. */
  problem: string | undefined;
  readonly #kernel: Kernel;
  readonly #facts: TileFacts;
  readonly #params: ReadonlyMap<string, BufferParam>;
  readonly #scratch: ReadonlyMap<string, ScratchBuffer>;
  readonly #assigned: ReadonlySet<string>;
  readonly #locals = new Map<string, Value>();
  /** Copies go on beside everything else, into memory that nothing else is in: what lies beyond them is filled once. */
  readonly #overlaps: boolean;
  readonly #first: Stmt[] = [];
  #out: Stmt[] = [];
  #count = 0;

  constructor(kernel: Kernel, facts: TileFacts, overlaps: boolean) {
    this.#overlaps = overlaps;
    this.#kernel = kernel;
    this.#facts = facts;
    this.#params = new Map(kernel.params.map((p) => [p.name, p]));
    this.#scratch = new Map(kernel.scratch.map((s) => [s.name, s]));
    this.#assigned = assignedIn(kernel.body);
  }

  run(): readonly Stmt[] {
    const body = this.#block(this.#kernel.body);
    return [...this.#first, ...body];
  }

  #fail(problem: string): Value {
    this.problem ??= problem;
    return { scalar: constant('f32', 0) };
  }

  // ── tiles ──

  /** Elements that an instruction on `lanes` elements works on. */
  #padded(lanes: number): number {
    const { countMultiple } = this.#facts.rules;
    return Math.ceil(lanes / countMultiple) * countMultiple;
  }

  #tile(dtype: NumericDType, lanes: number): string {
    const name = `tile${this.#count++}`;
    const { alignBytes } = this.#facts.rules;
    // A mask has no other size than what it is compared from, whatever its language makes of it.
    const bytes = Math.ceil((this.#padded(lanes) * byteWidth(dtype)) / alignBytes) * alignBytes;
    this.tiles.push({ name, dtype, elements: bytes / byteWidth(dtype) });
    return name;
  }

  #operand(value: Value, lanes: number, type?: ComputeDType): Expr {
    const count = this.#padded(lanes);
    if ('scalar' in value) return splat(value.scalar, count);
    return load(value.tile, value.at, type ?? computeType(value.dtype), count);
  }

  /** One instruction, of which the result is a new tile. */
  #instruct(fn: VectorFn, type: ComputeDType, result: Expr, lanes: number): Value {
    if (this.#facts.vectors.functions[fn]?.includes(type) !== true) return this.#fail(`the vector unit has no ${fn} of ${type}`);
    return this.#keep(storedAs(result.type.dtype), result, lanes);
  }

  #keep(dtype: NumericDType, result: Expr, lanes: number): Value {
    const tile = this.#tile(dtype, lanes);
    this.#out.push(store(tile, index(0), result));
    return { tile, at: index(0), dtype };
  }

  /** A scalar in every element of a tile. */
  #filled(value: Value, lanes: number): Value {
    if (!('scalar' in value)) return value;
    const { dtype } = value.scalar.type;
    if (dtype === 'bool') {
      const number = this.#named(select(value.scalar, constant('f32', 1), constant('f32', 0)));
      const tile = this.#filled({ scalar: number }, lanes);
      return this.#nonZero(tile, lanes);
    }
    return this.#instruct('splat', dtype, splat(value.scalar, this.#padded(lanes)), lanes);
  }

  #named(x: Expr): Expr {
    if (x.kind === 'const' || x.kind === 'var') return x;
    const name = `x${this.#count++}`;
    this.#out.push(declare(name, x));
    return variable(name, x.type.dtype);
  }

  /** The same numbers as another dtype, through as many conversions as it takes. */
  #convert(value: Value, to: NumericDType, lanes: number): Value {
    if ('scalar' in value || value.dtype === to) return value;
    const path = this.#path(value.dtype, to);
    if (path === undefined) return this.#fail(`the vector unit does not convert ${value.dtype} to ${to}`);
    return path.reduce<Value>((x, dtype) => this.#keep(dtype, cast(computeType(dtype), this.#operand(x, lanes)), lanes), value);
  }

  /** The dtypes on the shortest way from one to another. */
  #path(from: NumericDType, to: NumericDType): readonly NumericDType[] | undefined {
    const ways = new Map<NumericDType, readonly NumericDType[]>([[from, []]]);
    for (const [dtype, way] of ways) {
      if (dtype === to) return way;
      for (const [a, b] of this.#facts.vectors.conversions) if (a === dtype && !ways.has(b)) ways.set(b, [...way, b]);
    }
    return undefined;
  }

  // ── expressions ──

  #vector(e: Expr): Value {
    const rule = this.#rules[e.kind];
    return rule === undefined ? this.#fail(`${e.kind} of vectors`) : this.#apply(e);
  }

  #apply<K extends Expr['kind']>(e: ExprOf[K] & { readonly kind: K }): Value {
    return this.#rules[e.kind]?.(e) ?? this.#fail(`${e.kind} of vectors`);
  }

  readonly #rules: { readonly [K in Expr['kind']]?: (e: ExprOf[K]) => Value } = {
    const: (e) => ({ scalar: { ...e, type: { dtype: e.type.dtype, lanes: 1 } } }),
    splat: (e) => ({ scalar: this.#named(this.#scalar(e.x)) }),
    var: (e) => this.#locals.get(e.name) ?? this.#fail(`${e.name} is no vector`),
    load: (e) => this.#load(e),
    unary: (e) => this.#unary(e),
    binary: (e) => this.#binary(e.fn, this.#vector(e.a), this.#vector(e.b), e.type),
    fma: (e) => this.#binary('add', this.#binary('mul', this.#vector(e.a), this.#vector(e.b), e.type), this.#vector(e.c), e.type),
    compare: (e) => {
      const { lanes } = e.a.type;
      return this.#compare(e.fn, this.#filled(this.#vector(e.a), lanes), this.#vector(e.b), lanes);
    },
    select: (e) => {
      const { lanes } = e.type;
      const condition = this.#filled(this.#vector(e.condition), lanes);
      return this.#choose(condition, this.#vector(e.a), this.#vector(e.b), e.type);
    },
    cast: (e) => this.#cast(e),
    bitcast: (e) => this.#bits(this.#vector(e.x), e.type.dtype, e.type.lanes),
    narrow: (e) => {
      const x = this.#vector(e.x);
      if ('scalar' in x || e.to === 'string') return this.#fail('a rounded scalar');
      return this.#number(this.#stored(x, e.to, e.type.lanes), e.type.dtype, e.type.lanes);
    },
  };

  #compare(fn: CompareFn, a: Value, b: Value, lanes: number): Value {
    const isUnsigned = (x: Value): boolean => ('scalar' in x ? x.scalar.type.dtype : x.dtype) === 'u32';
    if ((fn === 'eq' || fn === 'ne') && isUnsigned(a)) return this.#compare(fn, this.#bits(a, 'i32', lanes), this.#bits(b, 'i32', lanes), lanes);
    const [x, y] = [this.#operand(a, lanes), this.#operand(b, lanes)];
    const { functions } = this.#facts.vectors;
    const { dtype } = x.type;
    if (fn === 'ne' && functions.ne?.includes(dtype) !== true) {
      const equal = this.#instruct('eq', dtype, compare('eq', x, y), lanes);
      return this.#instruct('not', 'bool', unary('not', this.#operand(equal, lanes, 'bool')), lanes);
    }
    return this.#instruct(fn, dtype, compare(fn, x, y), lanes);
  }

  /** The mask of the numbers that are not 0. */
  #nonZero(x: Value, lanes: number): Value {
    return this.#compare('ne', this.#convert(x, 'f32', lanes), { scalar: constant('f32', 0) }, lanes);
  }

  #bits(x: Value, to: ComputeDType, lanes: number): Value {
    if ('scalar' in x) return { scalar: this.#named(bitcast(to, x.scalar)) };
    if (computeType(x.dtype) === to) return x;
    return this.#keep(storedAs(to), bitcast(to, this.#operand(x, lanes)), lanes);
  }

  #unary(e: ExprOf['unary']): Value {
    const { lanes, dtype } = e.type;
    const x = this.#vector(e.x);
    if ('scalar' in x) return { scalar: this.#named(unary(e.fn, x.scalar)) };
    if (e.fn === 'neg') return this.#binary('mul', x, { scalar: constant(dtype, -1) }, e.type);
    if (e.fn === 'abs' && dtype === 'i32') return this.#binary('max', x, this.#binary('mul', x, { scalar: constant(dtype, -1) }, e.type), e.type);
    return this.#instruct(e.fn, dtype, unary(e.fn, this.#operand(x, lanes)), lanes);
  }

  #binary(fn: BinaryFn, a: Value, b: Value, { dtype, lanes }: Expr['type']): Value {
    if ('scalar' in a && 'scalar' in b) return { scalar: this.#named(binary(fn, a.scalar, b.scalar)) };
    if ('scalar' in a && COMMUTATIVE.has(fn)) return this.#binary(fn, b, a, { dtype, lanes });
    // Scalars stand second; the order of a minimum's operands decides about NaN.
    const left = this.#filled(a, lanes);
    const right = ALL_TILES.has(fn) ? this.#filled(b, lanes) : b;
    if (!('scalar' in right) && (fn === 'shl' || fn === 'shr')) return this.#fail('shifts by vectors');
    return this.#instruct(fn, dtype, binary(fn, this.#operand(left, lanes), this.#operand(right, lanes)), lanes);
  }

  #choose(mask: Value, a: Value, b: Value, { dtype, lanes }: Expr['type']): Value {
    const [left, right] = dtype === 'bool' ? [this.#filled(a, lanes), this.#filled(b, lanes)] : [this.#filled(a, lanes), b];
    if (dtype === 'bool') {
      // (mask and a) or (not mask and b)
      const type = { dtype, lanes };
      const not = this.#instruct('not', 'bool', unary('not', this.#operand(mask, lanes)), lanes);
      return this.#binary('or', this.#binary('and', mask, left, type), this.#binary('and', not, right, type), type);
    }
    return this.#instruct('select', dtype, select(this.#operand(mask, lanes), this.#operand(left, lanes), this.#operand(right, lanes)), lanes);
  }

  #cast(e: ExprOf['cast']): Value {
    const { dtype, lanes } = e.type;
    const from = e.x.type.dtype;
    // Narrow loads go straight to what is wanted: as numbers of f32 they need no sign.
    const x = e.x.kind === 'load' ? this.#raw(e.x) : this.#vector(e.x);
    if ('scalar' in x) return { scalar: this.#named(cast(dtype, x.scalar)) };
    if (from === dtype) return x;
    if (dtype === 'bool') return this.#nonZero(x, lanes);
    if (from === 'bool') return x.dtype === 'u8' ? this.#number(x, dtype, lanes) : this.#choose(x, { scalar: constant(dtype, 1) }, { scalar: constant(dtype, 0) }, e.type);
    if ((from === 'u32' || from === 'i32') && (dtype === 'u32' || dtype === 'i32')) return this.#bits(this.#number(x, from, lanes), dtype, lanes);
    return this.#number(x, dtype, lanes);
  }

  /** A tile of any dtype as numbers of a compute type. */
  #number(x: Value, to: ComputeDType, lanes: number): Value {
    if ('scalar' in x || x.dtype === storedAs(to)) return x;
    const isDirect = this.#facts.vectors.conversions.some(([a, b]) => a === x.dtype && b === to);
    if (to !== 'u32' || isDirect) return this.#convert(x, storedAs(to), lanes);
    // Half of what u32 holds is more than i32 does; what widens to it is not.
    return computeType(x.dtype) === 'f32' ? this.#fail(`the vector unit does not convert ${x.dtype} to u32`) : this.#bits(this.#convert(x, 'i32', lanes), 'u32', lanes);
  }

  /** A load as it lies in memory; bools as bytes. */
  #raw(e: ExprOf['load']): Value {
    const { lanes } = e.type;
    const at = this.#scalar(e.index);
    const kept = this.#scratch.get(e.buffer);
    if (kept !== undefined) return { tile: e.buffer, at, dtype: kept.dtype };
    const param = this.#params.get(e.buffer)!;
    const dtype = param.dtype === 'bool' ? 'u8' : param.dtype;
    const tile = this.#tile(dtype, lanes);
    // What an instruction works on beyond the copy is a number too.
    if (this.#padded(lanes) !== lanes) (this.#overlaps ? this.#first : this.#out).push(store(tile, index(0), splat(constant(computeType(dtype), 0), this.#padded(lanes))));
    this.#out.push({
      kind: 'copy',
      to: { buffer: tile, index: index(0), stride: 0 },
      from: { buffer: e.buffer, index: at, stride: 0 },
      rows: index(1),
      elements: index(lanes),
    });
    return { tile, at: index(0), dtype };
  }

  #load(e: ExprOf['load']): Value {
    const raw = this.#raw(e);
    const { dtype, lanes } = e.type;
    if ('scalar' in raw) return raw;
    if (dtype === 'bool' && raw.dtype === 'u8') return this.#nonZero(raw, lanes);
    return this.#number(raw, dtype, lanes);
  }

  /** A scalar expression, in which what is made across a vector becomes a scalar of its own. */
  #scalar(e: Expr): Expr {
    if (e.kind === 'const' || e.kind === 'var') return e;
    if (e.kind === 'across') return this.#across(e);
    if (e.kind === 'extract') return this.#fail('a lane of a vector') && e;
    return mapOperands(e, (x) => this.#scalar(x));
  }

  #across(e: ExprOf['across']): Expr {
    const { lanes, dtype } = e.x.type;
    if (dtype === 'bool') {
      const isOr = e.fn === 'or' || e.fn === 'max';
      const numbers = this.#choose(this.#filled(this.#vector(e.x), lanes), { scalar: constant('f32', 1) }, { scalar: constant('f32', 0) }, { dtype: 'f32', lanes });
      return compare('ne', this.#fold(isOr ? 'max' : 'min', numbers, 'f32', lanes), constant('f32', 0));
    }
    return this.#fold(e.fn, this.#filled(this.#vector(e.x), lanes), dtype, lanes);
  }

  #fold(fn: ExprOf['across']['fn'], x: Value, dtype: ComputeDType, lanes: number): Expr {
    if (fn !== 'add' && fn !== 'min' && fn !== 'max') this.#fail(`${fn} across a vector`);
    if (this.#facts.vectors.functions.across?.includes(dtype) !== true) this.#fail(`the vector unit folds no ${dtype}`);
    const result = this.#tile(storedAs(dtype), lanes + FOLD_ROOM);
    if ('scalar' in x) return x.scalar;
    // Only what is there: nothing beyond is folded in.
    this.#out.push(store(result, index(0), { kind: 'across', type: { dtype, lanes: 1 }, fn, x: load(x.tile, x.at, dtype, lanes) }));
    return this.#named(load(result, index(0), dtype));
  }

  // ── statements ──

  #block(body: readonly Stmt[]): Stmt[] {
    const outer = this.#out;
    this.#out = [];
    for (const s of body) this.#statement(s);
    const inner = this.#out;
    this.#out = outer;
    return inner;
  }

  #statement(s: Stmt): void {
    switch (s.kind) {
      case 'for':
        return void this.#out.push({ ...s, from: this.#scalar(s.from), to: this.#scalar(s.to), body: this.#block(s.body) });
      case 'if':
        return void this.#out.push({ ...s, condition: this.#scalar(s.condition), then: this.#block(s.then), else: this.#block(s.else) });
      case 'let':
        if (s.value.type.lanes === 1) return void this.#out.push({ ...s, value: this.#scalar(s.value) });
        return void this.#locals.set(s.name, this.#assigned.has(s.name) ? this.#owned(s.value) : this.#vector(s.value));
      case 'assign':
        if (s.value.type.lanes === 1) return void this.#out.push({ ...s, value: this.#scalar(s.value) });
        return this.#assign(s);
      case 'store':
        return s.value.type.lanes === 1 ? void this.#out.push({ ...s, index: this.#scalar(s.index), value: this.#scalar(s.value) }) : this.#store(s);
      case 'copy':
      case 'matrix':
        return void this.#out.push(s);
      default:
        this.#fail(`${s.kind} before instructions are selected`);
    }
  }

  /** A tile that `assign` may change. */
  #owned(e: Expr): Value {
    const { dtype, lanes } = e.type;
    const value = this.#vector(e);
    if ('scalar' in value) return this.#filled(value, lanes);
    return this.#keep(storedAs(dtype), this.#operand(value, lanes), lanes);
  }

  #assign(s: Extract<Stmt, { kind: 'assign' }>): void {
    const target = this.#locals.get(s.name);
    const value = this.#filled(this.#vector(s.value), s.value.type.lanes);
    if (target === undefined || 'scalar' in target) return void this.#fail(`${s.name} is no vector`);
    this.#out.push(store(target.tile, target.at, this.#operand(value, s.value.type.lanes)));
  }

  #store(s: Extract<Stmt, { kind: 'store' }>): void {
    const { lanes, dtype } = s.value.type;
    const at = this.#scalar(s.index);
    const target = this.#params.get(s.buffer) ?? this.#scratch.get(s.buffer)!;
    let value = this.#filled(this.#vector(s.value), lanes);
    const isParam = this.#params.has(s.buffer);
    if (dtype === 'bool' && isParam) {
      const numbers = this.#choose(value, { scalar: constant('f32', 1) }, { scalar: constant('f32', 0) }, { dtype: 'f32', lanes });
      value = this.#convert(numbers, 'u8', lanes);
    } else if (computeType(target.dtype) === dtype && ONE_OF.has(dtype)) value = this.#stored(value, target.dtype, lanes);
    if ('scalar' in value) return void this.#fail('a scalar as a tile');
    if (!isParam) return void this.#out.push(store(s.buffer, at, this.#operand(value, lanes)));
    this.#out.push({
      kind: 'copy',
      to: { buffer: s.buffer, index: at, stride: 0 },
      from: { buffer: value.tile, index: value.at, stride: 0 },
      rows: index(1),
      elements: index(lanes),
    });
  }

  /** Narrow integers wrap when they are stored, which conversions by value do not. */
  #stored(value: Value, dtype: NumericDType, lanes: number): Value {
    if ('scalar' in value || value.dtype === dtype) return value;
    if (computeType(dtype) === 'f32') return this.#convert(value, dtype, lanes);
    const { narrowing = [] } = this.#facts.vectors;
    if (!narrowing.some(([from, to]) => from === value.dtype && to === dtype)) return this.#fail(`${dtype} wraps`);
    return this.#keep(dtype, cast(computeType(dtype), this.#operand(value, lanes)), lanes);
  }
}

/** Elements of the result of a fold before the place, as large as what is folded, that languages may work in. */
const FOLD_ROOM = 64;

const COMMUTATIVE: ReadonlySet<VectorFn> = new Set(['add', 'mul', 'and', 'or', 'xor']);
/** Functions of which no operand may be a scalar. */
const ALL_TILES: ReadonlySet<VectorFn> = new Set(['div', 'and', 'or', 'xor']);

/** The kernel's statements as instructions, or why they have none. `overlaps`: what is copied will share no memory. */
export function selectInstructions(kernel: Kernel, facts: TileFacts, overlaps: boolean): Selected | { readonly problem: string } {
  const selector = new Selector(kernel, facts, overlaps);
  const body = selector.run();
  return selector.problem === undefined ? { body, tiles: selector.tiles } : { problem: selector.problem };
}
