// Ensembles of decision trees in one form, whichever operator they come from: flat tables of nodes that are walked from the roots.
// Checked here, so that walking them never leaves the tables and always ends.
import { numeric, toNumbers } from '../../core/tensor.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { AttrsOf } from '../schema.ts';
import { badModel, postTransformOf, postTransforms } from './classes.ts';
import type { PostTransform } from './classes.ts';
import type { mlOps } from './ml.ts';

/** x ? threshold */
export const branchModes = ['LEQ', 'LT', 'GTE', 'GT', 'EQ', 'NEQ'] as const;
export type BranchMode = (typeof branchModes)[number];

export interface Branch {
  readonly mode: BranchMode;
  readonly feature: number;
  readonly threshold: number;
  /** Where NaN goes: to the true branch, or where the comparison says. */
  readonly missingIsTrue: boolean;
  readonly ifTrue: number;
  readonly ifFalse: number;
}

export interface Vote {
  readonly target: number;
  readonly weight: number;
}

export type Aggregate = 'AVERAGE' | 'SUM' | 'MIN' | 'MAX';
const aggregates: readonly Aggregate[] = ['AVERAGE', 'SUM', 'MIN', 'MAX'];

export interface Forest {
  /** A node without a branch is a leaf. */
  readonly branches: readonly (Branch | undefined)[];
  /** By node; leaves only. */
  readonly votes: readonly (readonly Vote[])[];
  readonly roots: readonly number[];
  /** Branches on the longest way from a root to a leaf. */
  readonly depth: number;
  readonly targets: number;
  readonly aggregate: Aggregate;
  /** Added to the aggregated votes, one per target. */
  readonly base: readonly number[];
  readonly transform: PostTransform;
}

type Facts = Omit<Forest, 'depth'>;

function checked(forest: Facts): Forest {
  const { branches, roots, votes, targets, base } = forest;
  const valid = (node: number): boolean => Number.isInteger(node) && node >= 0 && node < branches.length;
  if (roots.length === 0 || !roots.every(valid)) badModel('a tree has no root');
  for (const branch of branches) {
    if (branch !== undefined && !(valid(branch.ifTrue) && valid(branch.ifFalse))) badModel('a branch leads to a node that does not exist');
    if (branch !== undefined && branch.feature < 0) badModel(`a branch asks for feature ${branch.feature}`);
  }
  if (!(targets >= 1)) badModel(`an ensemble of ${targets} targets`);
  if (votes.some((list) => list.some((v) => !(v.target >= 0 && v.target < targets)))) badModel(`a leaf votes for a target outside the ${targets} there are`);
  if (base.length !== 0 && base.length !== targets) badModel(`${base.length} base values for ${targets} targets`);
  return { ...forest, base: base.length === 0 ? Array.from({ length: targets }, () => 0) : base, depth: depthOf(forest) };
}

/** Longest way down, without recursion: trees may be lists. Throws where nodes form a circle. */
function depthOf({ branches, roots }: Pick<Forest, 'branches' | 'roots'>): number {
  const below: (number | 'open' | undefined)[] = branches.map(() => undefined);
  const stack = [...roots];
  while (stack.length > 0) {
    const node = stack.at(-1)!;
    const branch = branches[node];
    if (typeof below[node] === 'number') {
      stack.pop();
    } else if (branch === undefined) {
      below[node] = 0;
    } else {
      const [yes, no] = [below[branch.ifTrue], below[branch.ifFalse]];
      if (typeof yes === 'number' && typeof no === 'number') below[node] = 1 + Math.max(yes, no);
      else if (below[node] === 'open' && (yes === 'open' || no === 'open')) badModel('the nodes of a tree form a circle');
      else {
        below[node] = 'open';
        if (typeof yes !== 'number') stack.push(branch.ifTrue);
        if (typeof no !== 'number') stack.push(branch.ifFalse);
      }
    }
  }
  return Math.max(...roots.map((root) => Number(below[root])));
}

/** Smallest number of features that an input must have. */
export const featuresNeeded = ({ branches }: Forest): number => branches.reduce((most, branch) => Math.max(most, (branch?.feature ?? -1) + 1), 0);

const listOf = (list: readonly number[] | undefined, tensor: Tensor | undefined): readonly number[] => (tensor === undefined ? (list ?? []) : toNumbers(numeric(tensor)));

type TreeAttrs = Pick<AttrsOf<typeof mlOps.TreeEnsembleRegressor>, Extract<keyof AttrsOf<typeof mlOps.TreeEnsembleRegressor>, `nodes_${string}` | `base_${string}`>>;

/** One vote per entry, at the leaf that tree and node ids name. */
interface VoteLists {
  readonly trees: readonly number[] | undefined;
  readonly nodes: readonly number[] | undefined;
  readonly targets: readonly number[] | undefined;
  readonly weights: readonly number[];
}

/** Nodes named by tree and node id, as in TreeEnsembleClassifier and TreeEnsembleRegressor. */
function namedNodes(attrs: TreeAttrs, lists: VoteLists): Pick<Forest, 'branches' | 'votes' | 'roots'> {
  const {
    nodes_treeids: trees = [],
    nodes_nodeids: ids = [],
    nodes_featureids: features = [],
    nodes_modes: modes = [],
    nodes_truenodeids: yes = [],
    nodes_falsenodeids: no = [],
  } = attrs;
  const thresholds = listOf(attrs.nodes_values, attrs.nodes_values_as_tensor);
  const missing = attrs.nodes_missing_value_tracks_true ?? [];
  const count = ids.length;
  if (count === 0 || [trees, features, modes, yes, no, thresholds].some((list) => list.length !== count)) badModel('the nodes_… lists differ in length or are empty');
  const byName = new Map(ids.map((id, i) => [`${trees[i]}:${id}`, i]));
  if (byName.size !== count) badModel('two nodes have the same tree and node id');
  const find = (tree: number, id: number): number => byName.get(`${tree}:${id}`) ?? badModel(`tree ${tree} has no node ${id}`);
  const branches = modes.map((mode, i): Branch | undefined => {
    if (mode === 'LEAF') return undefined;
    const known = branchModes.find((m) => `BRANCH_${m}` === mode) ?? badModel(`node mode '${mode}' is unknown`);
    return { mode: known, feature: features[i]!, threshold: thresholds[i]!, missingIsTrue: missing[i] === 1, ifTrue: find(trees[i]!, yes[i]!), ifFalse: find(trees[i]!, no[i]!) };
  });
  const { trees: voteTrees = [], nodes: voteNodes = [], targets = [], weights } = lists;
  if ([voteTrees, voteNodes, targets].some((list) => list.length !== weights.length)) badModel('the lists of votes differ in length');
  const votes: Vote[][] = ids.map(() => []);
  weights.forEach((weight, i) => votes[find(voteTrees[i]!, voteNodes[i]!)]!.push({ target: targets[i]!, weight }));
  const children = new Set(branches.flatMap((branch) => (branch === undefined ? [] : [branch.ifTrue, branch.ifFalse])));
  // A tree that is a circle has no root, and is found by that.
  const roots = [...new Set(trees)].map((tree) => {
    const root = trees.findIndex((t, i) => t === tree && !children.has(i));
    return root >= 0 ? root : badModel(`tree ${tree} has no root`);
  });
  return { branches, votes, roots };
}

export function regressorForest(attrs: AttrsOf<typeof mlOps.TreeEnsembleRegressor>): Forest {
  const weights = listOf(attrs.target_weights, attrs.target_weights_as_tensor);
  const nodes = namedNodes(attrs, { trees: attrs.target_treeids, nodes: attrs.target_nodeids, targets: attrs.target_ids, weights });
  return checked({
    ...nodes,
    targets: attrs.n_targets ?? Math.max(...(attrs.target_ids ?? []), 0) + 1,
    aggregate: aggregates.find((a) => a === attrs.aggregate_function) ?? badModel(`aggregate_function '${attrs.aggregate_function}' is unknown`),
    base: listOf(attrs.base_values, attrs.base_values_as_tensor),
    transform: postTransformOf(attrs.post_transform),
  });
}

export interface ClassifierForest extends Forest {
  /** All votes are for one of two classes: the other one's score is its complement. */
  readonly binary: boolean;
  readonly positiveWeights: boolean;
}

export function classifierForest(attrs: AttrsOf<typeof mlOps.TreeEnsembleClassifier>, classes: number): ClassifierForest {
  const weights = listOf(attrs.class_weights, attrs.class_weights_as_tensor);
  const ids = attrs.class_ids ?? [];
  const binary = classes <= 2 && new Set(ids).size === 1;
  const base = listOf(attrs.base_values, attrs.base_values_as_tensor);
  // With one score, votes for either class are votes for that score.
  const targets = binary ? ids.map(() => 0) : ids;
  const nodes = namedNodes(attrs, { trees: attrs.class_treeids, nodes: attrs.class_nodeids, targets, weights });
  const forest = checked({
    ...nodes,
    targets: binary ? 1 : classes,
    aggregate: 'SUM',
    base: binary && base.length > 1 ? [base[ids[0]!] ?? 0] : base,
    transform: postTransformOf(attrs.post_transform),
  });
  return { ...forest, binary, positiveWeights: weights.every((w) => w >= 0) };
}

const MEMBER = 6;

/** TreeEnsemble keeps branches and leaves apart; a test of membership becomes a chain of tests of equality. */
export function ensembleForest(attrs: AttrsOf<typeof mlOps.TreeEnsemble>): Forest {
  const splits = listOf([], attrs.nodes_splits);
  const modes = listOf([], attrs.nodes_modes);
  const leafWeights = listOf([], attrs.leaf_weights);
  const members = memberSets(listOf([], attrs.membership_values));
  const {
    nodes_featureids: features = [],
    nodes_truenodeids: yes = [],
    nodes_falsenodeids: no = [],
    nodes_trueleafs: yesLeaf = [],
    nodes_falseleafs: noLeaf = [],
    leaf_targetids: leafTargets = [],
  } = attrs;
  const count = modes.length;
  if ([splits, features, yes, no, yesLeaf, noLeaf].some((list) => list.length !== count)) badModel('the nodes_… lists differ in length');
  if (leafTargets.length !== leafWeights.length) badModel('leaf_targetids and leaf_weights differ in length');
  const childAt = (i: number, isLeaf: boolean): number =>
    i >= 0 && i < (isLeaf ? leafWeights.length : count) ? i + (isLeaf ? count : 0) : badModel(`a branch leads to ${isLeaf ? 'leaf' : 'node'} ${i}, which does not exist`);
  const branches: (Branch | undefined)[] = [...modes.map(() => undefined), ...leafWeights.map(() => undefined)];
  modes.forEach((mode, i) => {
    const missingIsTrue = attrs.nodes_missing_value_tracks_true?.[i] === 1;
    const common = { feature: features[i]!, missingIsTrue, ifTrue: childAt(yes[i]!, yesLeaf[i] === 1), ifFalse: childAt(no[i]!, noLeaf[i] === 1) };
    if (mode !== MEMBER) {
      branches[i] = { ...common, mode: branchModes[mode] ?? badModel(`node mode ${mode} is unknown`), threshold: splits[i]! };
      return;
    }
    const set = members.shift() ?? badModel('membership_values has too few sets');
    // The empty set holds nothing, as NaN equals nothing.
    const chain = set.length === 0 ? [NaN] : set;
    chain.forEach((threshold, k) => {
      const isLast = k === chain.length - 1;
      branches[k === 0 ? i : branches.length] = { ...common, mode: 'EQ', threshold, ifFalse: isLast ? common.ifFalse : branches.length + (k === 0 ? 0 : 1) };
    });
  });
  const votes = branches.map((_, i) => (i >= count && i < count + leafWeights.length ? [{ target: leafTargets[i - count]!, weight: leafWeights[i - count]! }] : []));
  return checked({
    branches,
    votes,
    roots: attrs.tree_roots ?? [],
    targets: attrs.n_targets ?? Math.max(...leafTargets, 0) + 1,
    aggregate: aggregates[attrs.aggregate_function] ?? badModel(`aggregate_function ${attrs.aggregate_function} is unknown`),
    base: [],
    transform: postTransforms[attrs.post_transform] ?? badModel(`post_transform ${attrs.post_transform} is unknown`),
  });
}

/** Sets separated by NaN, in the order of the nodes that test membership. */
function memberSets(values: readonly number[]): number[][] {
  const sets: number[][] = [[]];
  for (const value of values) {
    if (Number.isNaN(value)) sets.push([]);
    else sets.at(-1)!.push(value);
  }
  // What follows the last separator is a set only if it holds something.
  return sets.at(-1)!.length === 0 ? sets.slice(0, -1) : sets;
}
