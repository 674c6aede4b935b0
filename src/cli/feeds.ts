// What a command runs a model on: files that were given, seeded random values for the rest. Says on stderr what it had to make up.
import { AnychipError } from '../core/error.ts';
import type { Graph, HostValue } from '../graph/graph.ts';
import { seededFeeds } from '../session/feeds.ts';
import { readInputs } from './inputs.ts';
import type { InputOptions } from './inputs.ts';
import { note } from './print.ts';

export interface FeedOptions extends InputOptions {
  readonly bind?: Readonly<Record<string, number>>;
  readonly seed: number;
}

export interface PreparedFeeds {
  readonly values: ReadonlyMap<string, HostValue>;
  /** Inputs that no file gave. */
  readonly random: readonly string[];
  /** Dimensions that nothing bound, with the size taken: 'batch = 1'. */
  readonly assumed: readonly string[];
}

/** Without a word about it. */
export function fillFeeds(graph: Graph, given: FeedOptions): PreparedFeeds {
  checkNames(graph, given.bind ?? {});
  const inputs = readInputs(graph, given);
  const { values, assumed } = seededFeeds(graph, inputs, given.bind ?? {}, given.seed);
  return { values, random: [...values.keys()].filter((name) => !inputs.has(name)), assumed };
}

export function prepareFeeds(graph: Graph, given: FeedOptions): PreparedFeeds {
  const { values, random, assumed } = fillFeeds(graph, given);
  if (random.length > 0) note(`random inputs (seed ${given.seed}): ${random.join(', ')}`);
  if (assumed.length > 0) note(`assumed ${assumed.join(', ')}; fix with --bind`);
  return { values, random, assumed };
}

function checkNames(graph: Graph, bind: Readonly<Record<string, number>>): void {
  const known = new Set(graph.inputs.flatMap(({ type }) => (type?.kind === 'tensor' ? (type.shape ?? []) : [])).filter((dim) => typeof dim === 'string'));
  const unknown = Object.keys(bind).find((name) => !known.has(name));
  if (unknown === undefined) return;
  const hint = known.size === 0 ? 'All dimensions of its inputs are fixed.' : `Dimensions: ${[...known].join(', ')}.`;
  throw new AnychipError('bad-argument', `--bind ${unknown}=${bind[unknown]}: no input has a dimension of that name`, { hint });
}
