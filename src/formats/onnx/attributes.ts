// AttributeProto to attributes: first as the file has them, then held against an operator's declaration.
import { AnychipError } from '../../core/error.ts';
import type { Graph } from '../../graph/graph.ts';
import type { OpSchema } from '../../graph/schema.ts';
import type { AttributeProto, GraphProto } from './messages.ts';
import { denseFromSparse, tensorFromProto, textOf } from './tensorProto.ts';
import type { ExternalReader } from './tensorProto.ts';
import { valueTypeOf } from './types.ts';
import type { RawAttr } from './upgrade/upgrade.ts';

export interface AttributeContext {
  readonly external: ExternalReader | undefined;
  readonly importGraph: (proto: GraphProto) => Graph;
}

const bad = (reason: string): never => {
  throw new AnychipError('bad-model', reason, { hint: 'The model breaks the ONNX format; export it again.' });
};

const LIMIT = BigInt(Number.MAX_SAFE_INTEGER);
const clampInt = (value: bigint): number => Number(value > LIMIT ? LIMIT : value < -LIMIT ? -LIMIT : value);

type Read = (proto: AttributeProto, context: AttributeContext) => RawAttr;
const needed = <T>(value: T | undefined, name: string): T => value ?? bad(`attribute '${name}' is empty`);

/** By AttributeProto.AttributeType. */
const readers: Readonly<Record<number, Read>> = {
  1: (p) => ({ kind: 'float', value: p.f }),
  2: (p) => ({ kind: 'int', value: clampInt(p.i) }),
  3: (p) => ({ kind: 'string', value: textOf(p.s) }),
  4: (p, { external }) => ({ kind: 'tensor', value: tensorFromProto(needed(p.t, p.name), external) }),
  5: (p, { importGraph }) => ({ kind: 'graph', value: importGraph(needed(p.g, p.name)) }),
  6: (p) => ({ kind: 'floats', value: p.floats }),
  7: (p) => ({ kind: 'ints', value: p.ints.map(clampInt) }),
  8: (p) => ({ kind: 'strings', value: p.strings.map(textOf) }),
  11: (p) => ({ kind: 'tensor', value: denseFromSparse(needed(p.sparseTensor, p.name)) }),
  13: (p) => ({ kind: 'type', value: needed(valueTypeOf(p.tp, p.name), p.name) }),
};

/** Files of IR 1 and 2 may leave the type out: then the field that is set says it. */
function kindOf(proto: AttributeProto): number {
  if (proto.type !== 0) return proto.type;
  const candidates = [['f', 1], ['i', 2], ['s', 3], ['t', 4], ['g', 5], ['floats', 6], ['ints', 7], ['strings', 8]] as const; // prettier-ignore
  return candidates.find(([field]) => Object.hasOwn(proto, field))?.[1] ?? 7;
}

export function readAttributes(protos: readonly AttributeProto[], context: AttributeContext): Map<string, RawAttr> {
  const attrs = new Map<string, RawAttr>();
  for (const proto of protos) {
    if (attrs.has(proto.name)) bad(`attribute '${proto.name}' is given twice`);
    const read = readers[kindOf(proto)];
    if (read === undefined) bad(`attribute '${proto.name}' has the kind ${proto.type}, which no operator uses`);
    else attrs.set(proto.name, read(proto, context));
  }
  return attrs;
}

/** The attributes that the operator declares, with its defaults. Unknown ones, missing ones and other kinds are refused. */
export function checkAttributes(attrs: ReadonlyMap<string, RawAttr>, schema: OpSchema): Readonly<Record<string, unknown>> {
  for (const name of attrs.keys()) {
    if (!Object.hasOwn(schema.attrs, name)) bad(`there is no attribute '${name}'; known: ${Object.keys(schema.attrs).join(', ') || 'none'}`);
  }
  const checked: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(schema.attrs)) {
    const given = attrs.get(name);
    if (given === undefined) {
      if (spec.required) bad(`attribute '${name}' is missing`);
      checked[name] = spec.fallback;
    } else {
      checked[name] = convert(given, spec.kind) ?? bad(`attribute '${name}' is a ${given.kind}, not a ${spec.kind}`);
    }
  }
  return checked;
}

/** An empty list says nothing of its kind. */
function convert(attr: RawAttr, kind: RawAttr['kind']): unknown {
  if (attr.kind === kind) return attr.value;
  return Array.isArray(attr.value) && attr.value.length === 0 && (kind === 'ints' || kind === 'floats' || kind === 'strings') ? [] : undefined;
}
