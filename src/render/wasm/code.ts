// One function while it is written: its locals, and its instructions as data that can be encoded or printed.
import { ByteWriter } from './bytes.ts';
import { opcodeOf } from './opcodes.ts';
import type { Immediate, OpName } from './opcodes.ts';

/** Types of values, with their bytes in the binary format. */
export const VALUE_TYPES = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = keyof typeof VALUE_TYPES;

export type Instruction = readonly [OpName, ...(readonly (number | bigint)[])];

/** A function that returns nothing. */
export interface WasmFunction {
  readonly name: string;
  readonly params: readonly { readonly name: string; readonly type: ValueType }[];
  readonly locals: readonly ValueType[];
  readonly instructions: readonly Instruction[];
}

export class Code {
  readonly instructions: Instruction[] = [];
  readonly locals: ValueType[] = [];
  readonly #params: number;
  readonly #free = new Map<ValueType, number[]>();

  constructor(params: number) {
    this.#params = params;
  }

  emit(op: OpName, ...immediates: readonly (number | bigint)[]): void {
    this.instructions.push([op, ...immediates]);
  }

  get(local: number): void {
    const last = this.instructions.at(-1);
    if (last !== undefined && last[0] === 'local.set' && last[1] === local) this.instructions[this.instructions.length - 1] = ['local.tee', local];
    else this.emit('local.get', local);
  }

  set(local: number): void {
    this.emit('local.set', local);
  }

  /** A local that nothing else uses until it is released. */
  local(type: ValueType): number {
    const free = this.#free.get(type)?.pop();
    if (free !== undefined) return free;
    this.locals.push(type);
    return this.#params + this.locals.length - 1;
  }

  release(local: number): void {
    const type = this.locals[local - this.#params]!;
    const free = this.#free.get(type);
    if (free === undefined) this.#free.set(type, [local]);
    else free.push(local);
  }
}

type Writers = { readonly [I in Immediate]: (out: ByteWriter, values: readonly (number | bigint)[], align: number) => void };

const EMPTY_BLOCK = 0x40;
const index: Writers['local'] = (out, [value]) => out.unsigned(Number(value));

const writers: Writers = {
  none: () => undefined,
  block: (out) => out.byte(EMPTY_BLOCK),
  label: index,
  local: index,
  function: index,
  indirect: (out, [type]) => {
    out.unsigned(Number(type));
    out.unsigned(0);
  },
  memory: (out, [offset], align) => {
    out.unsigned(align);
    out.unsigned(Number(offset));
  },
  memoryLane: (out, [offset, lane], align) => {
    out.unsigned(align);
    out.unsigned(Number(offset));
    out.byte(Number(lane));
  },
  lane: (out, [lane]) => out.byte(Number(lane)),
  lanes: (out, lanes) => out.append(lanes.map(Number)),
  i32: (out, [value]) => out.signed(Number(value)),
  i64: (out, [value]) => out.signedWide(BigInt(value!)),
  f32: (out, [value]) => out.f32(Number(value)),
  f64: (out, [value]) => out.f64(Number(value)),
  v128: (out, bits) => bits.forEach((lane) => out.u32(Number(lane))),
};

/** The body of a function as it stands in the code section, without its size. */
export function encodeBody({ locals, instructions }: WasmFunction): Uint8Array {
  const out = new ByteWriter();
  const groups: { readonly type: ValueType; count: number }[] = [];
  for (const type of locals) {
    const last = groups.at(-1);
    if (last?.type === type) last.count++;
    else groups.push({ type, count: 1 });
  }
  out.vector(groups, ({ type, count }) => {
    out.unsigned(count);
    out.byte(VALUE_TYPES[type]);
  });
  for (const [name, ...values] of instructions) {
    const { prefix, code, immediate, align } = opcodeOf(name);
    if (prefix === undefined) out.byte(code);
    else {
      out.byte(prefix);
      out.unsigned(code);
    }
    writers[immediate](out, values, align ?? 0);
  }
  out.byte(opcodeOf('end').code);
  return out.bytes;
}

const OPENS: ReadonlySet<OpName> = new Set(['block', 'loop', 'if']);

const immediateText = (immediate: Immediate, values: readonly (number | bigint)[], f: WasmFunction): string => {
  if (immediate === 'local') return ` ${f.params[Number(values[0])]?.name ?? `$${Number(values[0])}`}`;
  if (immediate === 'memory') return values[0] === 0 ? '' : ` offset=${values[0]}`;
  if (immediate === 'v128') return ` i32x4 ${values.map((x) => `0x${x.toString(16)}`).join(' ')}`;
  return values.map((x) => ` ${x}`).join('');
};

/** The function in the text format, one instruction a line, for people to read. */
export function functionText(f: WasmFunction): string {
  const lines = [`(func ${f.name} ${f.params.map((p) => `(param ${p.name} ${p.type})`).join(' ')}`];
  if (f.locals.length > 0) lines.push(`  (local ${f.locals.join(' ')})`);
  let depth = 1;
  for (const [name, ...values] of f.instructions) {
    if (name === 'end' || name === 'else') depth--;
    lines.push(`${'  '.repeat(depth)}${name}${immediateText(opcodeOf(name).immediate, values, f)}`);
    if (OPENS.has(name) || name === 'else') depth++;
  }
  return `${lines.join('\n')}\n)\n`;
}
