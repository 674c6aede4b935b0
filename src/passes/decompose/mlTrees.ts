// Decomposition of tree ensembles: all rows walk down all trees at once, one level per step, by lookups in tables of the nodes.
import { AnychipError } from '../../core/error.ts';
import { tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { badModel, binaryLabels, labelsOf } from '../../graph/ops/classes.ts';
import { branchModes, classifierForest, ensembleForest, featuresNeeded, regressorForest } from '../../graph/ops/forest.ts';
import type { Branch, BranchMode, Forest } from '../../graph/ops/forest.ts';
import type { mlOps } from '../../graph/ops/ml.ts';
import { inputAt, onHost } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';
import { bestOf, binaryScores, chooseLabel, featureMatrix, pickLabels, transformScores } from './mlScores.ts';
import { dropAxes } from './views.ts';

const comparisons: Readonly<Record<BranchMode, (b: Builder, x: Operand, threshold: Operand) => Operand>> = {
  LEQ: (b, x, t) => b.le(x, t),
  LT: (b, x, t) => b.lt(x, t),
  GTE: (b, x, t) => b.ge(x, t),
  GT: (b, x, t) => b.gt(x, t),
  EQ: (b, x, t) => b.eq(x, t),
  NEQ: (b, x, t) => b.ne(x, t),
};

/** The leaf that each row [N, C] reaches in each tree: i32 [N, trees]. Leaves lead to themselves, so shallow trees wait. */
function reachedLeaves(b: Builder, x: Operand, forest: Forest): Operand {
  const { branches, roots, depth } = forest;
  const shape = [x.shape[0]!, roots.length];
  const inner = branches.filter((branch) => branch !== undefined);
  const modes = branchModes.filter((mode) => inner.some((branch) => branch.mode === mode));
  const lookup = (of: (branch: Branch | undefined, node: number) => number, dtype: 'i32' | 'bool' | 'f32' | 'f64'): ((node: Operand) => Operand) => {
    const table = b.constant(tensorFrom(dtype, [branches.length], branches.map(of)));
    return (node) => b.gather(table, [{ index: 0 }], [node], shape);
  };
  const feature = lookup((branch) => branch?.feature ?? 0, 'i32');
  const threshold = lookup((branch) => branch?.threshold ?? 0, x.dtype === 'f64' ? 'f64' : 'f32');
  const ifTrue = lookup((branch, node) => branch?.ifTrue ?? node, 'i32');
  const ifFalse = lookup((branch, node) => branch?.ifFalse ?? node, 'i32');
  const missing = inner.some((branch) => branch.missingIsTrue) ? lookup((branch) => Number(branch?.missingIsTrue ?? false), 'bool') : undefined;
  const hasMode = modes.map((mode) => (modes.length > 1 ? lookup((branch) => Number(branch?.mode === mode), 'bool') : undefined));
  let node = b.expand(b.constant(tensorFrom('i32', [1, roots.length], roots)), shape);
  for (let level = 0; level < depth; level++) {
    const at = node;
    const value = b.gather(x, [{ axis: 0 }, { index: 0 }], [feature(at)], shape);
    const limit = threshold(at);
    const answers = modes.map((mode, i) => {
      const answer = comparisons[mode](b, value, limit);
      const applies = hasMode[i]?.(at);
      return applies === undefined ? answer : b.and(applies, answer);
    });
    const compared = answers.reduce((all, answer) => b.or(all, answer));
    const isTrue = missing === undefined ? compared : b.or(compared, b.and(missing(at), b.isNaN(value)));
    node = b.where(isTrue, ifTrue(at), ifFalse(at));
  }
  return node;
}

const fold = { SUM: (v: number, w: number) => v + w, AVERAGE: (v: number, w: number) => v + w, MIN: Math.min, MAX: Math.max } as const;
const neutral = { SUM: 0, AVERAGE: 0, MIN: Infinity, MAX: -Infinity } as const;
const reduction = { SUM: 'sum', AVERAGE: 'sum', MIN: 'min', MAX: 'max' } as const;

/** Aggregated votes and base, [N, targets], not transformed. */
function rawScores(b: Builder, x: Operand, forest: Forest): Operand {
  if (x.shape[1]! < featuresNeeded(forest)) throw new AnychipError('shape', `${x.shape[1]} features for trees that ask for ${featuresNeeded(forest)}`);
  const { votes, targets, aggregate, roots } = forest;
  const empty: number = neutral[aggregate];
  const table = votes.flatMap((list) => {
    const row = Array.from({ length: targets }, () => empty);
    for (const { target, weight } of list) row[target] = fold[aggregate](row[target]!, weight);
    return row;
  });
  const dtype = x.dtype;
  const rows = x.shape[0]!;
  const leaves = b.reshape(reachedLeaves(b, x, forest), [rows, roots.length, 1]);
  const weights = b.gather(b.constant(tensorFrom(dtype, [votes.length, targets], table)), [{ index: 0 }, { axis: 2 }], [leaves], [rows, roots.length, targets]);
  let scores = dropAxes(b, b.reduce(reduction[aggregate], weights, [1]), [1]);
  if (aggregate === 'AVERAGE') scores = b.div(scores, b.scalar(dtype, roots.length));
  // A target that no tree votes for scores its base.
  if (empty !== 0) scores = b.where(b.eq(scores, b.scalar(dtype, empty)), b.scalar(dtype, 0), scores);
  return forest.base.every((v) => v === 0) ? scores : b.add(scores, b.constant(tensorFrom(dtype, [1, targets], forest.base)));
}

export const treeLowerings: Lowerings<keyof Pick<typeof mlOps, 'TreeEnsemble' | 'TreeEnsembleClassifier' | 'TreeEnsembleRegressor'>> = {
  TreeEnsemble(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const forest = ensembleForest(attrs);
    return [b.cast(transformScores(b, rawScores(b, featureMatrix(b, x), forest), forest.transform), x.dtype)];
  },
  TreeEnsembleRegressor(b, { attrs }, inputs) {
    const forest = regressorForest(attrs);
    return [b.cast(transformScores(b, rawScores(b, featureMatrix(b, inputAt(inputs, 0)), forest), forest.transform), 'f32')];
  },
  TreeEnsembleClassifier(b, { attrs }, inputs) {
    const labels = labelsOf(attrs.classlabels_int64s, attrs.classlabels_strings) ?? badModel('TreeEnsembleClassifier has no class labels');
    const classes = labels.values.length;
    const forest = classifierForest(attrs, classes);
    const names = forest.binary ? binaryLabels(labels) : labels;
    if (names.kind === 'strings') return onHost('the labels are strings');
    const raw = rawScores(b, featureMatrix(b, inputAt(inputs, 0)), forest);
    if (!forest.binary) return [pickLabels(b, names, bestOf(b, raw)), b.cast(transformScores(b, raw, forest.transform), 'f32')];
    // Weights that are all positive make a probability, others a distance from the border.
    const border = forest.positiveWeights && forest.transform === 'NONE' && classes === 2 ? 0.5 : 0;
    const scores = classes === 1 ? transformScores(b, raw, forest.transform) : binaryScores(b, raw, forest.transform, forest.positiveWeights);
    return [chooseLabel(b, names, b.gt(raw, b.scalar(raw.dtype, border))), b.cast(scores, 'f32')];
  },
};
