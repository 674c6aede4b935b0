// Seeded damage to models. Structured: fields of the parsed file change values, swap, multiply, vanish, or take each other's places, so
// that names, dtypes, dims, attributes and edges go wrong while the file still parses. Raw: bytes flip, vanish, or come from elsewhere.
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from '../formats/generated/onnx_pb.ts';

/** Uniform in [0, 1). */
export type Random = () => number;

type Message = Record<string, unknown>;
type Field = (typeof ModelProtoSchema.fields)[number];

/** One field of one message of a model. */
interface Place {
  readonly message: Message;
  readonly field: Field;
}

const below = (random: Random, n: number): number => Math.floor(random() * n);
const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)]!;

const isMessage = (value: unknown): value is Message => typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);

/** All fields that hold something, and a few that do not. */
function placesIn(message: Message, fields: readonly Field[], random: Random, places: Place[]): Place[] {
  for (const field of fields) {
    const value = message[field.localName];
    const empty = value === undefined || value === '' || value === 0 || value === 0n || (Array.isArray(value) && value.length === 0);
    if (!empty || random() < 0.05) places.push({ message, field });
    const inner = field.message;
    if (inner === undefined) continue;
    for (const item of Array.isArray(value) ? value : [value]) if (isMessage(item)) placesIn(item, inner.fields, random, places);
  }
  return places;
}

const NUMBERS = [0, 1, -1, 2, 3, 7, 8, 16, 127, 255, 1024, 65_536, 2 ** 24, 2 ** 31 - 1, -(2 ** 31)] as const;
const WIDE = [...NUMBERS.map(BigInt), 2n ** 32n, 2n ** 40n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n)] as const;
const REALS = [0, -0, 1, -1, 0.5, 1e-30, 1e30, NaN, Infinity, -Infinity] as const;
const TEXTS = ['', 'x', '../../etc/passwd', '/dev/zero', '*/ int main() {', '\u0000', 'a'.repeat(300), '__proto__', 'constructor'] as const;

/** Another value of the kind of `value`; `alike`: values that fields of the same name have elsewhere. */
function changed(random: Random, value: unknown, alike: readonly unknown[]): unknown {
  if (random() < 0.4) return pick(random, alike);
  if (typeof value === 'number') return Number.isInteger(value) && random() < 0.5 ? value + pick(random, [-1, 1]) : pick(random, Number.isInteger(value) ? NUMBERS : REALS);
  if (typeof value === 'bigint') return random() < 0.4 ? value + pick(random, [-1n, 1n]) : pick(random, WIDE);
  if (typeof value === 'string') return pick(random, TEXTS);
  if (value instanceof Uint8Array) return damageBytes(random, value);
  return pick(random, alike);
}

function changeList(random: Random, list: readonly unknown[], alike: readonly unknown[]): unknown[] {
  const copy = [...list];
  const at = below(random, copy.length);
  const others = alike.flatMap((x) => (Array.isArray(x) ? x : []));
  const ways: (() => void)[] = [
    () => void copy.splice(at, 1),
    () => void copy.splice(at, 0, copy[at]),
    () => void copy.splice(at, 1, pick(random, others)),
    () => void copy.reverse(),
    () => void (copy.length = at),
    () => void copy.push(pick(random, others)),
    () => void (isMessage(copy[at]) || copy.splice(at, 1, changed(random, copy[at], others))),
  ];
  pick(random, ways)();
  return copy;
}

/** Fields in which a number of another kind cannot be written. */
const fits = (field: Field, value: unknown, before: unknown): boolean =>
  value === undefined || typeof value === typeof before || before === undefined || field.fieldKind === 'list' || field.fieldKind === 'message';

function mutateField(random: Random, places: readonly Place[]): void {
  const { message, field } = pick(random, places);
  const before = message[field.localName];
  const alike = places.filter((p) => p.field === field || (p.field.name === field.name && p.field.fieldKind === field.fieldKind)).map((p) => p.message[field.localName]);
  if (random() < 0.1 && field.fieldKind === 'message') {
    message[field.localName] = undefined;
    return;
  }
  // Names: inputs and outputs are lists of texts that share one name space.
  const names = places.flatMap((p) => (p.field.name === 'output' || p.field.name === 'input' ? textsOf(p.message[p.field.localName]) : []));
  const after =
    Array.isArray(before) && before.length > 0
      ? changeList(random, before, typeof before[0] === 'string' && names.length > 0 ? [names] : alike)
      : Array.isArray(before)
        ? pick(random, alike)
        : changed(random, before, alike);
  if (fits(field, after, before)) message[field.localName] = after;
}
const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.filter((x) => typeof x === 'string') : []);

/** Flips bits, cuts, repeats or moves parts. */
export function damageBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  if (copy.length === 0) return Uint8Array.of(below(random, 256));
  const at = below(random, copy.length);
  const length = Math.min(copy.length - at, 1 + below(random, 16));
  const ways: (() => Uint8Array)[] = [
    () => copy.slice(0, at),
    () => Uint8Array.from([...copy.slice(0, at), ...copy.slice(at + length)]),
    () => Uint8Array.from([...copy.slice(0, at), ...copy.slice(at, at + length), ...copy.slice(at)]),
    () => copy.map((b, i) => (i >= at && i < at + length ? below(random, 256) : b)),
    () => copy.copyWithin(at, below(random, copy.length), copy.length),
  ];
  for (let flips = 1 + below(random, 4); random() < 0.6 && flips > 0; flips--) copy[below(random, copy.length)]! ^= 1 << below(random, 8);
  return random() < 0.5 ? copy : pick(random, ways)();
}

function mutateFields(random: Random, bytes: Uint8Array): Uint8Array {
  const model: Message = { ...fromBinary(ModelProtoSchema, bytes) };
  for (let count = 1 + below(random, 3); count > 0; count--) mutateField(random, placesIn(model, ModelProtoSchema.fields, random, []));
  return toBinary(ModelProtoSchema, model as unknown as Parameters<typeof toBinary<typeof ModelProtoSchema>>[1]);
}

/** A damaged copy of a model, never equal to it. */
export function mutateModel(random: Random, bytes: Uint8Array): Uint8Array {
  for (;;) {
    try {
      const mutant = random() < 0.7 ? mutateFields(random, bytes) : damageBytes(random, bytes);
      if (Buffer.compare(mutant, bytes) !== 0) return mutant;
    } catch {
      // The mutated message has no encoding (a number out of its range, a cycle of messages): another one.
    }
  }
}
