// An ONNX file to a Graph: parsed, every name resolved, every operator in its latest form and held against its declaration.
// Knows no file system (external data comes through a reader), so it runs in a browser too.
import { AnychipError, within } from '../../core/error.ts';
import { storedIn } from '../../core/stored.ts';
import type { Stored } from '../../core/stored.ts';
import type { Graph } from '../../graph/graph.ts';
import type { FunctionProto, ModelProto } from './messages.ts';
import { importGraph } from './importGraph.ts';
import type { ImportState } from './importGraph.ts';
import { functionKey, opsetsOf } from './names.ts';
import { readMessage } from './readMessage.ts';
import { noteStructure } from './structure.ts';
import type { Range } from './structure.ts';
import type { ExternalReader } from './tensorProto.ts';

export interface ImportOptions {
  /** Where external tensors are; without it a model that has some is refused. */
  readonly external?: ExternalReader;
  /** What to call the model in messages. */
  readonly name?: string;
}

export interface Model {
  readonly graph: Graph;
  readonly irVersion: number;
  /** Opset by domain; '' is ai.onnx. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: string;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Throws `bad-file`, `bad-model`, `unsupported` (all operators that are not known at once) or `limit`. */
export function importModel(source: Uint8Array | Stored, options: ImportOptions = {}): Model {
  let large: readonly Range[] = [];
  const proto = within('not an ONNX model', () => readMessage('ModelProto', source, (found) => void (large = found)));
  const name = options.name ?? (proto.graph?.name === '' ? 'model' : (proto.graph?.name ?? 'model'));
  return within(name, () => {
    if (proto.graph === undefined) throw new AnychipError('bad-file', 'it holds no graph', { hint: 'Is it an ONNX model? It may be damaged.' });
    const irVersion = Number(proto.irVersion);
    if (!(irVersion >= 1 && irVersion <= 1000)) throw new AnychipError('bad-file', `it has the IR version ${proto.irVersion}`, { hint: 'Is it an ONNX model? It may be damaged.' });
    const opsets = opsetsOf(proto.opsetImport);
    const state: ImportState = { irVersion, external: options.external, functions: functionsOf(proto), unsupported: new Map(), counts: { nodes: 0, names: 0 } };
    const graph = importGraph(proto.graph, undefined, { opsets, attrs: undefined, calls: [], depth: 0 }, state);
    refuseUnsupported(state);
    noteStructure(graph, source instanceof Uint8Array ? storedIn(source) : source, large);
    return {
      graph,
      irVersion,
      opsets,
      producer: `${proto.producerName} ${proto.producerVersion}`.trim(),
      metadata: new Map(proto.metadataProps.map(({ key, value }) => [key, value])),
    };
  });
}

function functionsOf(proto: ModelProto): Map<string, FunctionProto> {
  const functions = new Map<string, FunctionProto>();
  for (const f of proto.functions) {
    const key = functionKey(f.domain, f.name, f.overload);
    if (functions.has(key)) throw new AnychipError('bad-model', `the function '${f.domain}.${f.name}' is defined twice`, { hint: 'Export the model again.' });
    functions.set(key, f);
  }
  return functions;
}

function refuseUnsupported(state: ImportState): void {
  if (state.unsupported.size === 0) return;
  const rows = [...state.unsupported].map(([op, { count, first }]) => `${op} × ${count}${first === '' ? '' : `, first at '${first}'`}`);
  throw new AnychipError('unsupported', `${rows.length} operator(s) are not known:\n  ${rows.join('\n  ')}`, {
    hint: 'docs/operators.md lists what is. An operator of another domain may be written as a model-local function.',
    facts: { operators: Object.fromEntries(state.unsupported) },
  });
}
