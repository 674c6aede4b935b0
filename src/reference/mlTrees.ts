// Reference of tree ensembles: every row walks down every tree.
import { AnychipError } from '../core/error.ts';
import { toNumbers } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { badModel, binaryLabels, labelsOf, rowsOf } from '../graph/ops/classes.ts';
import { classifierForest, ensembleForest, featuresNeeded, regressorForest } from '../graph/ops/forest.ts';
import type { Branch, BranchMode, Forest } from '../graph/ops/forest.ts';
import type { mlOps } from '../graph/ops/ml.ts';
import { numericAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';
import { bestOf, binaryScores, matrixFrom, pickLabels, transformScores } from './mlScores.ts';

const compare: Readonly<Record<BranchMode, (x: number, threshold: number) => boolean>> = {
  LEQ: (x, t) => x <= t,
  LT: (x, t) => x < t,
  GTE: (x, t) => x >= t,
  GT: (x, t) => x > t,
  EQ: (x, t) => x === t,
  NEQ: (x, t) => x !== t,
};

const isTrue = ({ mode, threshold, missingIsTrue }: Branch, x: number): boolean => compare[mode](x, threshold) || (missingIsTrue && Number.isNaN(x));

function leafOf({ branches }: Forest, root: number, row: readonly number[]): number {
  let node = root;
  for (let branch = branches[node]; branch !== undefined; branch = branches[node]) node = isTrue(branch, row[branch.feature]!) ? branch.ifTrue : branch.ifFalse;
  return node;
}

/** The aggregated votes of one row, one score per target; a target without votes scores its base. */
function scoresOf(forest: Forest, row: readonly number[]): number[] {
  const votes = forest.roots.flatMap((root) => forest.votes[leafOf(forest, root, row)]!);
  return forest.base.map((base, target) => {
    const weights = votes.filter((vote) => vote.target === target).map((vote) => vote.weight);
    if (weights.length === 0) return base;
    if (forest.aggregate === 'MIN') return base + Math.min(...weights);
    if (forest.aggregate === 'MAX') return base + Math.max(...weights);
    const sum = weights.reduce((a, b) => a + b, 0);
    return base + (forest.aggregate === 'AVERAGE' ? sum / forest.roots.length : sum);
  });
}

function rowsOfForest(x: NumericTensor, forest: Forest): number[][] {
  const [rows, features] = rowsOf(x.shape);
  if (features < featuresNeeded(forest)) throw new AnychipError('shape', `${features} features for trees that ask for ${featuresNeeded(forest)}`);
  const values = toNumbers(x);
  return Array.from({ length: rows }, (_, r) => values.slice(r * features, (r + 1) * features));
}

const regress = (x: NumericTensor, forest: Forest, dtype: NumericTensor['dtype']): NumericTensor =>
  matrixFrom(
    dtype,
    rowsOfForest(x, forest).map((row) => transformScores(scoresOf(forest, row), forest.transform)),
    forest.targets,
  );

export const treeEvaluations: Evaluations<keyof Pick<typeof mlOps, 'TreeEnsemble' | 'TreeEnsembleClassifier' | 'TreeEnsembleRegressor'>> = {
  TreeEnsemble({ attrs }, inputs) {
    const x = numericAt(inputs, 0);
    return [regress(x, ensembleForest(attrs), x.dtype)];
  },
  TreeEnsembleRegressor: ({ attrs }, inputs) => [regress(numericAt(inputs, 0), regressorForest(attrs), 'f32')],
  TreeEnsembleClassifier({ attrs }, inputs) {
    const labels = labelsOf(attrs.classlabels_int64s, attrs.classlabels_strings) ?? badModel('TreeEnsembleClassifier has no class labels');
    const classes = labels.values.length;
    const forest = classifierForest(attrs, classes);
    const raw = rowsOfForest(numericAt(inputs, 0), forest).map((row) => scoresOf(forest, row));
    if (!forest.binary) {
      const scores = raw.map((row) => transformScores(row, forest.transform));
      return [pickLabels(labels, raw.map(bestOf)), matrixFrom('f32', scores, classes)];
    }
    // Weights that are all positive make a probability, others a distance from the border.
    const border = forest.positiveWeights && forest.transform === 'NONE' && classes === 2 ? 0.5 : 0;
    const chosen = pickLabels(
      binaryLabels(labels),
      raw.map(([score]) => Number(score! > border)),
    );
    const scores = raw.map(([score]) => (classes === 1 ? transformScores([score!], forest.transform) : binaryScores(score!, forest.transform, forest.positiveWeights)));
    return [chosen, matrixFrom('f32', scores, classes)];
  },
};
