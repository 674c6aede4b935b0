// Verifies what a core's matrix unit asks of a tile kernel: sides of fragments, memory of each role, and that what factors are filled
// from is filled and read as a whole, in the blocks or lines that the unit has.
import type { Fragment, FragmentPlace, Kernel, MatrixRules, MatrixUnit, Rows, ScratchBuffer, Stmt, TileRules } from './ir.ts';
import { MATRIX_MEMORIES, fragmentDType, linesOf, matrixBytes, shapeOf } from './matrix.ts';
import { storePipe } from './pipes.ts';
import { allStatements } from './statements.ts';

const sides = ({ m, n, k }: MatrixUnit): readonly number[] => [m, n, k];
const sameUnit = (a: MatrixUnit, b: MatrixUnit): boolean => a.in === b.in && a.acc === b.acc && sides(a).every((side, i) => side === sides(b)[i]);
const sameFragment = (a: Fragment, b: Fragment): boolean => a.role === b.role && a.order === b.order && sameUnit(a.unit, b.unit);
/** A unit that these sides are multiples of. */
const isMade = (unit: MatrixUnit, { units }: MatrixRules): boolean =>
  units.some((base) => {
    const isMultiple = [unit.m % base.m, unit.n % base.n, unit.k % base.k].every((rest) => rest === 0) && sides(unit).every((side) => side > 0);
    return isMultiple && base.in === unit.in && base.acc === unit.acc && base.layout === unit.layout;
  });
const sizeOf = (fragment: Fragment): string => shapeOf(fragment).join(' × ');
const isZero = (place: Rows | FragmentPlace): boolean => place.index.kind === 'const' && Number(place.index.value) === 0;

class MatrixVerifier {
  readonly problems: string[] = [];
  readonly #rules: MatrixRules;
  readonly #staged: ReadonlyMap<string, ScratchBuffer>;
  readonly #scratch: ReadonlySet<string>;
  readonly #fragments = new Map<string, Fragment>();
  #steps = 0;
  #instructions = 0;

  constructor(kernel: Kernel, rules: MatrixRules) {
    this.#rules = rules;
    this.#scratch = new Set(kernel.scratch.map((s) => s.name));
    this.#staged = new Map(kernel.scratch.flatMap((s) => (s.fragment === undefined ? [] : [[s.name, s]])));
    allStatements(kernel.body).forEach((s) => this.#statement(s));
    for (const s of this.#staged.values()) this.#buffer(s, s.fragment!);
    this.#capacity();
    const hasOther = this.#instructions > 0 || kernel.scratch.some((s) => s.fragment === undefined);
    if (rules.isApart && this.#steps > 0 && hasOther) this.problems.push('steps of a matrix unit beside work of the vector unit, which is another core');
  }

  #buffer(s: ScratchBuffer, fragment: Fragment): void {
    const [lines, elements] = linesOf(fragment);
    if (fragment.role === 'sum' || s.dtype !== fragmentDType(fragment) || s.elements !== lines * elements) this.problems.push(`${s.name} is no ${sizeOf(fragment)} factor`);
    if (!isMade(fragment.unit, this.#rules)) this.problems.push(`the unit has no factors of ${sizeOf(fragment)}`);
  }

  #capacity(): void {
    for (const fragment of this.#fragments.values()) if (!isMade(fragment.unit, this.#rules)) this.problems.push(`the unit multiplies no ${sizeOf(fragment)} as ${fragment.role}`);
    const bytes = matrixBytes(
      this.#fragments.values(),
      [...this.#staged.values()].map((s) => s.fragment!),
    );
    for (const memory of MATRIX_MEMORIES) {
      const most = this.#rules.bytes[memory] ?? Infinity;
      if (bytes[memory] > most) this.problems.push(`${bytes[memory]} bytes of ${memory} of a matrix unit, and a core has ${most}`);
    }
  }

  #statement(s: Stmt): void {
    if (s.kind === 'store' && storePipe(s) === 'vector') this.#instructions++;
    if (s.kind === 'copy') this.#copy(s);
    if (s.kind !== 'matrix') return;
    this.#steps++;
    const { step } = s;
    if (step.do === 'declare') this.#fragments.set(step.name, step.fragment);
    if (step.do === 'load') this.#load(step.fragment, step.from);
    if (step.do === 'store') this.#store(step.to.buffer);
  }

  #store(buffer: string): void {
    if (this.#staged.has(buffer)) this.problems.push(`a sum is stored into ${buffer}, which factors are filled from`);
    if (this.#scratch.has(buffer) !== (this.#rules.sumsTo === 'scratch')) this.problems.push(`a sum is stored into ${buffer}, and the unit stores to ${this.#rules.sumsTo} memory`);
  }

  /** Memory in blocks is filled from its first line on, as lines without room between them. */
  #copy({ to, from }: Extract<Stmt, { kind: 'copy' }>): void {
    if (this.#staged.has(from.buffer)) this.problems.push(`a copy from ${from.buffer}, which only the matrix unit reads`);
    const fragment = this.#staged.get(to.buffer)?.fragment;
    if (fragment !== undefined && !(isZero(to) && to.stride === linesOf(fragment)[1])) this.problems.push(`a copy into a part of ${to.buffer}, which is in blocks`);
  }

  #load(fragment: Fragment, from: FragmentPlace): void {
    if (fragment.unit.layout === 'strided') return;
    const staged = this.#staged.get(from.buffer)?.fragment;
    const isWhole = staged !== undefined && sameFragment(staged, fragment) && isZero(from) && from.stride === linesOf(fragment)[1];
    if (!isWhole) this.problems.push(`a factor is filled from ${from.buffer}, which is not there for it`);
  }
}

/** What breaks the rules of the core's matrix unit, one sentence each. */
export function matrixProblems(kernel: Kernel, { matrix }: TileRules): readonly string[] {
  if (!allStatements(kernel.body).some((s) => s.kind === 'matrix'))
    return kernel.scratch.some((s) => s.fragment !== undefined) ? ['memory of a matrix unit that nothing uses'] : [];
  return matrix === undefined ? ['a matrix unit on a core that has none'] : new MatrixVerifier(kernel, matrix).problems;
}
