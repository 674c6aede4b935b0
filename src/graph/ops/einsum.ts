// Reads the equation of an Einsum against the shapes of its operands. Shared by the reference and the decomposition.
import { AnychipError } from '../../core/error.ts';
import { formatShape } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';

/** Every axis has a label: a letter, or '.i' for the i-th dimension that an ellipsis stands for. */
export interface EinsumPlan {
  readonly operands: readonly (readonly string[])[];
  readonly output: readonly string[];
  readonly sizes: ReadonlyMap<string, number>;
}

const fail = (reason: string): never => {
  throw new AnychipError('shape', reason, { hint: 'Check the equation against the shapes of the operands.' });
};

const termPattern = /^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/;
const DOTS = '...';

/** The labels of a term whose ellipsis stands for the last `count` of `total` dimensions. */
function labelsOf(term: string, count: number, total: number): string[] {
  const [before, after] = term.includes(DOTS) ? term.split(DOTS) : [term, ''];
  const dots = term.includes(DOTS) ? Array.from({ length: count }, (_, i) => `.${total - count + i}`) : [];
  return [...before!, ...dots, ...after!];
}

/** Labels that appear once, in alphabetical order, after the ellipsis (specification of Einsum, implicit form). */
function implicitOutput(operands: readonly (readonly string[])[]): string[] {
  const all = operands.flat();
  const letters = [...new Set(all)].filter((label) => !label.startsWith('.'));
  const dots = [...new Set(all)].filter((label) => label.startsWith('.'));
  return [...dots.sort(byNumber), ...letters.filter((label) => all.indexOf(label) === all.lastIndexOf(label)).sort()];
}
const byNumber = (a: string, b: string): number => Number(a.slice(1)) - Number(b.slice(1));

/** Dimensions of one label must be equal, or 1, which broadcasts. */
export function planEinsum(equation: string, shapes: readonly Shape[]): EinsumPlan {
  const [left, right, ...rest] = equation.replaceAll(/\s/g, '').split('->');
  const terms = left!.split(',');
  if (rest.length > 0 || ![...terms, right ?? ''].every((term) => termPattern.test(term))) fail(`'${equation}' is not an equation of terms, '->' and a result`);
  if (terms.length !== shapes.length) fail(`'${equation}' has ${terms.length} terms for ${shapes.length} operands`);
  const hidden = terms.map((term, i) => {
    const letters = term.replace(DOTS, '').length;
    const count = shapes[i]!.length - letters;
    if (term.includes(DOTS) ? count < 0 : count !== 0) fail(`the term '${term}' does not name the axes of ${formatShape(shapes[i]!)}`);
    return count;
  });
  const total = Math.max(0, ...hidden);
  const operands = terms.map((term, i) => labelsOf(term, hidden[i]!, total));
  const sizes = new Map<string, number>();
  operands.forEach((labels, i) => {
    labels.forEach((label, axis) => {
      const [known, size] = [sizes.get(label) ?? 1, shapes[i]![axis]!];
      if (known !== 1 && size !== 1 && known !== size) fail(`'${label}' of '${equation}' is ${known} and ${size}`);
      sizes.set(label, known === 1 ? size : known);
    });
  });
  const output = right === undefined ? implicitOutput(operands) : labelsOf(right, total, total);
  if (new Set(output).size !== output.length || !output.every((label) => sizes.has(label))) fail(`the result of '${equation}' repeats a label or has one that no term has`);
  return { operands, output, sizes };
}
