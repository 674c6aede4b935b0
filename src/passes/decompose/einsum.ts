// Einsum as a chain of pairwise contractions: diagonals, sums of what only one operand has, then a product of matrices, or of elements
// where nothing is summed.
import type { NumericDType } from '../../core/dtype.ts';
import { elementCount } from '../../core/shape.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { planEinsum } from '../../graph/ops/einsum.ts';
import { sumDType } from './products.ts';
import { dropAxes } from './views.ts';

/** An operand with one label per axis. */
interface Term {
  readonly x: Operand;
  readonly labels: readonly string[];
}

/** A label that a term has twice keeps the diagonal. */
function diagonal(b: Builder, { x, labels }: Term): Term {
  const unique = [...new Set(labels)];
  if (unique.length === labels.length) return { x, labels };
  const shape = unique.map((label) => Math.max(...labels.flatMap((l, axis) => (l === label ? [x.shape[axis]!] : []))));
  const full = b.expand(
    x,
    labels.map((l) => shape[unique.indexOf(l)]!),
  );
  return {
    x: b.gather(
      full,
      labels.map((l) => ({ axis: unique.indexOf(l) })),
      [],
      shape,
    ),
    labels: unique,
  };
}

/** Sums over the labels that nothing else needs. */
function sumOut(b: Builder, { x, labels }: Term, needed: ReadonlySet<string>, acc: NumericDType): Term {
  const axes = labels.flatMap((label, axis) => (needed.has(label) ? [] : [axis]));
  if (axes.length === 0) return { x, labels };
  return { x: dropAxes(b, b.reduce('sum', b.cast(x, acc), axes), axes), labels: labels.filter((label) => needed.has(label)) };
}

/** The axes of a term in the order of `order`, 1 where it lacks the label. */
function aligned(b: Builder, { x, labels }: Term, order: readonly string[]): Operand {
  const present = order.filter((label) => labels.includes(label));
  const moved = b.transpose(
    x,
    present.map((label) => labels.indexOf(label)),
  );
  return b.reshape(
    moved,
    order.map((label) => (labels.includes(label) ? x.shape[labels.indexOf(label)]! : 1)),
  );
}

/** One term from two; labels in `kept` stay, those that both have and nothing keeps are summed. */
function contract(b: Builder, left: Term, right: Term, kept: ReadonlySet<string>, sizes: ReadonlyMap<string, number>, acc: NumericDType): Term {
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const [batch, summed] = [shared.filter((label) => kept.has(label)), shared.filter((label) => !kept.has(label))];
  const own = (term: Term): string[] => term.labels.filter((label) => !shared.includes(label));
  const labels = [...batch, ...own(left), ...own(right)];
  if (summed.length === 0) return { x: b.mul(b.cast(aligned(b, left, labels), acc), b.cast(aligned(b, right, labels), acc)), labels };
  const count = (list: readonly string[]): number => elementCount(list.map((label) => sizes.get(label)!));
  /** [batch, rows, columns]; a dimension of 1 is repeated where its label is larger. */
  const matrices = (term: Term, rows: readonly string[], columns: readonly string[]): Operand => {
    const order = [...batch, ...rows, ...columns];
    const full = b.expand(
      aligned(b, term, order),
      order.map((label) => sizes.get(label)!),
    );
    return b.reshape(full, [count(batch), count(rows), count(columns)]);
  };
  const [x, y] = [matrices(left, own(left), summed), matrices(right, summed, own(right))];
  const product = x.dtype === y.dtype ? b.matmul(x, y, acc) : b.matmul(b.cast(x, acc), b.cast(y, acc), acc);
  return {
    x: b.reshape(
      product,
      labels.map((label) => sizes.get(label)!),
    ),
    labels,
  };
}

export function einsum(b: Builder, equation: string, operands: readonly Operand[]): Operand {
  const { dtype } = operands[0]!;
  const acc = sumDType(dtype);
  const plan = planEinsum(
    equation,
    operands.map((x) => x.shape),
  );
  const terms = operands.map((x, i) => diagonal(b, { x, labels: plan.operands[i]! }));
  const neededBy = (rest: readonly Term[]): ReadonlySet<string> => new Set([...plan.output, ...rest.flatMap((term) => term.labels)]);
  const others = (i: number): Term[] => terms.filter((_, j) => j !== i);
  const trimmed = terms.map((term, i) => sumOut(b, term, neededBy(others(i)), acc));
  const result = trimmed.reduce((left, right, i) => {
    const kept = neededBy(trimmed.slice(i + 1));
    const product = contract(b, left, right, kept, plan.sizes, acc);
    return sumOut(b, product, kept, acc);
  });
  const ordered = aligned(b, result, plan.output);
  return b.cast(
    b.expand(
      ordered,
      plan.output.map((label) => plan.sizes.get(label)!),
    ),
    dtype,
  );
}
