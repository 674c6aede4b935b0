// An ExecutionPlan as a file: a zip with a manifest, the structure as JSON, and the block of binaries and constants.
// A plan holds machine code: load only plans you would run. What is checked is that the file is whole and of this version.
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';
import { checksum } from './core/checksum.ts';
import { AnychipError } from './core/error.ts';
import { isRecord, pack, unpack } from './core/pack.ts';
import { stringTensor, tensorOf } from './core/tensor.ts';
import type { Tensor } from './core/tensor.ts';
import { constantOf } from './graph/graph.ts';
import type { Constant } from './graph/graph.ts';
import type { ExecutionPlan } from './plan.ts';

const FORMAT = 'anychip-plan';
const VERSION = 3;
const CONSTANT = 'anychip:constant';

/** The plan with everything it needs, constants included. */
export function savePlan(plan: ExecutionPlan): Uint8Array {
  const { json, bytes } = pack(plan, (value) => (isConstant(value) ? { [CONSTANT]: value.read() } : value));
  const structure = strToU8(json);
  const manifest = { format: FORMAT, version: VERSION, target: plan.target, checksums: { plan: checksum(structure), data: checksum(bytes) } };
  // Stored, not compressed: weights do not shrink, and a file is read faster than unpacked.
  return zipSync({ 'manifest.json': strToU8(JSON.stringify(manifest)), 'plan.json': structure, 'data.bin': bytes }, { level: 0 });
}

/** What `savePlan` wrote. Throws `bad-file` when it is something else, cut off, changed or of another version. */
export function loadPlan(file: Uint8Array): ExecutionPlan {
  const parts = open(file);
  const manifest = readManifest(part(parts, 'manifest.json'));
  if (manifest['format'] !== FORMAT) return fail('it is not an anychip plan');
  if (manifest['version'] !== VERSION) return fail(`it has version ${String(manifest['version'])}, this build reads ${VERSION}`);
  const [json, bytes] = [part(parts, 'plan.json'), part(parts, 'data.bin')];
  const sums = manifest['checksums'];
  if (!isRecord(sums) || sums['plan'] !== checksum(json) || sums['data'] !== checksum(bytes)) return fail('its checksums do not match: the file is damaged');
  const plan = unpack({ json: strFromU8(json), bytes }, restore);
  if (!isPlan(plan)) return fail('it does not hold a plan');
  return plan;
}

/** What is there already where a plan is read again: an entry of the list that is given then. */
const KNOWN = 'anychip:known';

/** A plan that was compiled, and what it depends on besides its name: digests of constants, by their number. */
interface Kept {
  readonly plan: ExecutionPlan;
  readonly looked: Readonly<Record<string, string>>;
}

/** A plan that leaves out `known`, which is given again when it is read. Undefined where what is left has more than `mostBytes`. */
export function packWithConstants(kept: Kept, known: readonly Constant[], mostBytes: number): Uint8Array | undefined {
  const numbers = new Map(known.map((constant, i) => [constant, i] as const));
  let own = 0;
  const { json, bytes } = pack(kept, (value) => {
    if (!isConstant(value)) return value;
    const number = numbers.get(value);
    if (number !== undefined) return { [KNOWN]: number };
    own += value.bytes;
    return own > mostBytes ? {} : { [CONSTANT]: value.read() };
  });
  if (own > mostBytes) return undefined;
  const structure = strToU8(json);
  const file = new Uint8Array(LENGTH_BYTES + bytes.byteLength + structure.byteLength);
  new DataView(file.buffer).setFloat64(0, bytes.byteLength);
  file.set(bytes, LENGTH_BYTES);
  file.set(structure, LENGTH_BYTES + bytes.byteLength);
  return file;
}
const LENGTH_BYTES = 8;

/** What `packWithConstants` made, whole as it was; undefined where it is something else. */
export function unpackWithConstants(file: Uint8Array, known: readonly Constant[]): Kept | undefined {
  const length = new DataView(file.buffer, file.byteOffset).getFloat64(0);
  const [bytes, structure] = [file.subarray(LENGTH_BYTES, LENGTH_BYTES + length), file.subarray(LENGTH_BYTES + length)];
  const kept = unpack({ json: strFromU8(structure), bytes }, (value) => (KNOWN in value ? known[Number(value[KNOWN])]! : restore(value)));
  return isKept(kept) ? kept : undefined;
}

const fail = (reason: string): never => {
  throw new AnychipError('bad-file', `cannot read the plan: ${reason}`, { hint: 'Compile the model again and save the plan.' });
};

function readManifest(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const manifest: unknown = JSON.parse(strFromU8(bytes));
    if (isRecord(manifest)) return manifest;
  } catch {
    // Not JSON: the same answer as JSON of something else.
  }
  return fail('its manifest is damaged');
}

/** The parts by name. Nothing is stored compressed, so no part is larger than the file. */
function open(file: Uint8Array): Record<string, Uint8Array> {
  try {
    return unzipSync(file, { filter: ({ originalSize }) => originalSize <= file.byteLength });
  } catch {
    return fail('the file is damaged or not a plan');
  }
}

const part = (parts: Readonly<Record<string, Uint8Array>>, name: string): Uint8Array => parts[name] ?? fail(`${name} is missing`);

export const isConstant = (value: object): value is Constant => 'read' in value && typeof value.read === 'function';

function restore(value: object): object {
  return CONSTANT in value ? constantOf(tensorIn(value[CONSTANT])) : value;
}

/** A tensor again, its length held against its shape. */
function tensorIn(value: unknown): Tensor {
  if (!isTensorLike(value)) return fail('a constant is damaged');
  return value.dtype === 'string' ? stringTensor(value.shape, value.data) : tensorOf(value.dtype, value.shape, value.data);
}

// The structure was written by `savePlan` from typed data and is checked to be whole by its zip checksum; field by field it is taken as it is.
const isTensorLike = (value: unknown): value is Tensor =>
  isRecord(value) && typeof value['dtype'] === 'string' && Array.isArray(value['shape']) && typeof value['data'] === 'object';
const isKept = (value: unknown): value is Kept => isRecord(value) && isPlan(value['plan']) && isRecord(value['looked']);
const isPlan = (value: unknown): value is ExecutionPlan =>
  isRecord(value) && typeof value['target'] === 'string' && Array.isArray(value['steps']) && Array.isArray(value['bindings']);
