// Plans that were compiled before on this machine, kept beside compiled programs: a model that was opened once is opened again without
// scheduling, rendering or a compiler. A plan is kept by all that it was made from: the graph, with what its small constants hold; the
// bindings and options; the machine, and the files that compile. Large constants are not in it: it says which of the graph's they are. Of
// those that compiling looked into it says what they held, and it counts only where they hold that still.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isSource, packageFile } from '../core/packageFiles.ts';
import type { Stored } from '../core/stored.ts';
import { bytesOf, numeric } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import { trace } from '../core/trace.ts';
import { LARGE_BYTES, structureOf } from '../formats/onnx/structure.ts';
import { mapSubgraphs, subgraphsOf } from '../graph/graph.ts';
import type { Constant, Graph } from '../graph/graph.ts';
import { isConstant, packWithConstants, unpackWithConstants } from '../planFile.ts';
import type { ExecutionPlan } from '../plan.ts';
import { CompileCache, contentKey } from '../runtime/compileCache.ts';
import { isRecord, pack } from '../core/pack.ts';
import { compile } from './compiler.ts';
import type { Question } from '../schedule/decide.ts';
import type { Compile } from './compiler.ts';

const FORMAT = 'plan 2';
/** Constants up to this size are part of the key, whatever is done with them. */
const SMALL_BYTES = LARGE_BYTES;
/** Plans with more data of their own are not kept: they hold weights. */
const MOST_BYTES = 32 << 20;

/** Takes the plan that was kept, or compiles. Each time for a target that does not say all that decides what it makes. */
export function keepPlans(cache: CompileCache = new CompileCache(), compileAnew: Compile = compile): Compile {
  const code = findCode();
  return async (graph, target, bindings, options = {}) => {
    const start = performance.now();
    const identity = await target.identity?.();
    if (identity === undefined || code === undefined) return compileAnew(graph, target, bindings, options);
    const { decide, allow = [], maxMemoryBytes, unrollLimit } = options;
    const described = describeGraph(graph);
    const asked = [bindings, allow, String(maxMemoryBytes), String(unrollLimit), target.capabilities];
    const key = contentKey([FORMAT, process.version, code, target.name, ...identity, ...partsOf(asked), ...described.parts]);
    const kept = readKept(cache.get(key), described.constants);
    if (kept !== undefined) {
      const millis = performance.now() - start;
      trace(2, () => ({ kind: 'plan', message: `took the plan of ${graph.name} for ${target.name} that was kept`, facts: { millis } }));
      return { ...kept, compile: { millis, cached: true } };
    }
    const watched = new WatchedGraph(graph);
    let isDecided = false;
    const noting = decide && { decide: (question: Question) => ((isDecided = true), decide(question)) };
    const plan = await compileAnew(watched.graph, target, bindings, { ...options, ...noting });
    // What was measured may be measured again: a choice is not part of the key.
    if (!isDecided) keep(cache, key, plan, described.constants.map(watched.of));
    return plan;
  };
}

/** A value as parts of a key. */
function partsOf(value: unknown): (string | Uint8Array)[] {
  const { json, bytes } = pack(value);
  return [json, bytes];
}

/** The graph as parts of a key, and its constants in order. */
interface Described {
  readonly parts: readonly (string | Uint8Array)[];
  readonly constants: readonly Constant[];
}

/** By the file that it is of, where that is all that made it: this is known sooner than what each node holds. */
function describeGraph(graph: Graph): Described {
  const structure = structureOf(graph);
  if (structure === undefined) return describeContent(graph);
  const constants = constantsIn(graph);
  // Small data may lie in other files; tensors that are attributes may be large.
  const small = constants.filter(({ bytes }) => bytes <= SMALL_BYTES).map((constant) => constant.read());
  return { parts: ['file', ...structure, ...[...small, ...tensorsIn(graph)].flatMap(({ data }) => partsOf(data))], constants };
}

const bodiesIn = (graph: Graph): Graph[] => graph.nodes.flatMap(subgraphsOf);
const constantsIn = (graph: Graph): Constant[] => [...graph.constants.values(), ...bodiesIn(graph).flatMap(constantsIn)];
const isTensor = (value: unknown): value is Tensor => isRecord(value) && 'dtype' in value && 'data' in value;
/** Those that are attributes of nodes. */
const tensorsIn = (graph: Graph): Tensor[] => [...graph.nodes.flatMap(({ attrs }) => Object.values<unknown>(attrs).filter(isTensor)), ...bodiesIn(graph).flatMap(tensorsIn)];

function describeContent(graph: Graph): Described {
  const constants: Constant[] = [];
  const { json, bytes } = pack(graph, (value) => {
    if (!isConstant(value)) return value;
    constants.push(value);
    // A list of its own: what else holds the same one is not part of what it is.
    const type = { dtype: value.dtype, shape: [...value.shape] };
    return value.bytes <= SMALL_BYTES ? { ...type, data: value.read().data } : type;
  });
  return { parts: [json, bytes], constants };
}

/** The same graph, whose constants say whether they were read. */
class WatchedGraph {
  readonly graph: Graph;
  readonly #constants = new Map<Constant, WatchedConstant>();

  constructor(graph: Graph) {
    this.graph = this.#watch(graph);
  }

  /** A constant of the graph that was given, as this one has it. */
  readonly of = (constant: Constant): WatchedConstant => {
    let watched = this.#constants.get(constant);
    if (watched === undefined) this.#constants.set(constant, (watched = new WatchedConstant(constant)));
    return watched;
  };

  #watch(graph: Graph): Graph {
    const constants = new Map([...graph.constants].map(([value, constant]) => [value, this.of(constant)] as const));
    return { ...graph, constants, nodes: graph.nodes.map((node) => mapSubgraphs(node, (body) => this.#watch(body))) };
  }
}

class WatchedConstant implements Constant {
  readonly dtype: Constant['dtype'];
  readonly shape: Constant['shape'];
  readonly bytes: number;
  readonly read: Constant['read'];
  readonly stored?: Stored;
  wasRead = false;

  constructor(constant: Constant) {
    this.dtype = constant.dtype;
    this.shape = constant.shape;
    this.bytes = constant.bytes;
    this.read = () => {
      this.wasRead = true;
      return constant.read();
    };
    const { stored } = constant;
    if (stored !== undefined)
      this.stored = {
        byteLength: stored.byteLength,
        read: (...range) => {
          this.wasRead = true;
          return stored.read(...range);
        },
      };
  }
}

const hashOf = (constant: Constant): string => contentKey([bytesOf(numeric(constant.read()))]);

function keep(cache: CompileCache, key: string, plan: ExecutionPlan, constants: readonly WatchedConstant[]): void {
  const looked = constants.flatMap((constant, i) => (constant.wasRead && constant.bytes > SMALL_BYTES ? [[String(i), hashOf(constant)] as const] : []));
  const bytes = packWithConstants({ plan, looked: Object.fromEntries(looked) }, constants, MOST_BYTES);
  if (bytes !== undefined) cache.put(key, bytes);
}

function readKept(bytes: Uint8Array | undefined, constants: readonly Constant[]): ExecutionPlan | undefined {
  const kept = bytes === undefined ? undefined : unpackWithConstants(bytes, constants);
  if (kept === undefined) return undefined;
  return Object.entries(kept.looked).every(([i, hash]) => hashOf(constants[Number(i)]!) === hash) ? kept.plan : undefined;
}

/** What the build says of its code (scripts/bundle.ts). */
const STAMP = packageFile('dist/build.txt');

/** Tells builds of this package apart, and states of its source by the files that are there: names, sizes and times. Undefined where neither is known. */
function findCode(): string | undefined {
  if (!isSource) return existsSync(STAMP) ? readFileSync(STAMP, 'utf8') : undefined;
  const root = fileURLToPath(packageFile('src'));
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const files = names.sort().map((name) => {
    const { size, mtimeMs } = statSync(join(root, name));
    return `${name} ${size} ${mtimeMs}`;
  });
  return contentKey(files);
}
