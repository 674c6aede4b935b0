// Tile kernels with one rule broken each: work that nothing waits for, copies and instructions past the end or at odd places, tails that
// are not filled, too much of the scratchpad, lines of memory that two cores store into, and what a language asks beyond the IR.
import { byteWidth } from '../../src/core/dtype.ts';
import { fragmentDType } from '../../src/kernel/matrix.ts';
import { add, index } from '../../src/kernel/build.ts';
import type { Expr, Kernel, MatrixStep, MatrixUnit, Pipe, Stmt } from '../../src/kernel/ir.ts';
import { storePipe } from '../../src/kernel/pipes.ts';
import { mapOperands, operandsOf } from '../../src/kernel/rewriteKernel.ts';
import { allStatements } from '../../src/kernel/statements.ts';
import { mutations as threadMutations, editEach } from './mutate.ts';
import type { Mutant, Mutation, Verdict } from './mutate.ts';

/** How a language of cores with scratchpads differs from another as to rules. */
export interface TileLanguageRules {
  /** Signals are statements of their own, rather than waits for all that a unit was given. */
  readonly hasSignals: boolean;
  /** Whether an instruction's number of elements has rules of its own, beyond what is there; absent where none has. */
  readonly hasCounts?: (value: Expr) => boolean;
  /** Whether an instruction's operands keep the alignment of the scratchpad; where absent, all do. */
  readonly aligns?: (value: Expr) => boolean;
  /** Whether copies keep the alignment of the scratchpad. */
  readonly alignsCopies: boolean;
  /** Whether there is a matrix unit. */
  readonly hasMatrix: boolean;
  /** Text that may not be left out, or changed `by` what is given: the places where it is needed, by number. */
  readonly texts: Readonly<
    Record<string, { readonly pattern: RegExp; readonly rule: RegExp; readonly by?: (found: string) => string; readonly needed: (kernel: Kernel) => readonly number[] }>
  >;
}

const bounds = /out of bounds/;
const order = /missing order|never-written/;
const places = /misaligned|out of bounds|never-written|missing order/;

type StoreStmt = Extract<Stmt, { kind: 'store' }>;
const isInstruction = (s: Stmt): s is StoreStmt => s.kind === 'store' && storePipe(s) === 'vector';

const mutants = (kernels: readonly Kernel[], title: string, rule: RegExp, verdict: Verdict = 'ask'): Mutant[] =>
  kernels.map((kernel, i) => ({ title: `${title} ${i}`, kernel, verdict, rule }));

const sizesOf = (kernel: Kernel) => {
  const sizes = new Map([...kernel.params, ...kernel.scratch].map((b) => [b.name, b.elements]));
  return (name: string): number => sizes.get(name) ?? 0;
};

/** Memory that a matrix unit is filled from, whose blocks are filled up with zeros. */
const stagedOf = (kernel: Kernel) => {
  const staged = new Set(kernel.scratch.flatMap((b) => (b.fragment === undefined ? [] : [b.name])));
  return (name: string): boolean => staged.has(name);
};

const isMoreThanOne = (rows: Expr): boolean => rows.kind !== 'const' || Number(rows.value) > 1;
const further = (at: Expr, elements: number): Expr => add(at, index(elements));

/** The instruction with the operands that it reads changed. */
const withOperands = (s: StoreStmt, change: (e: Extract<Expr, { kind: 'load' }>) => Expr): StoreStmt => {
  const visit = (e: Expr): Expr => (e.kind === 'load' && e.type.lanes > 1 ? change(e) : e.kind === 'const' || e.kind === 'var' || e.kind === 'load' ? e : mapOperands(e, visit));
  return { ...s, value: visit(s.value) };
};
const reads = (e: Expr): boolean => (e.kind === 'load' && e.type.lanes > 1) || operandsOf(e).some(reads);

/** The instruction on other numbers of elements. */
function withLanes(s: StoreStmt, lanesOf: (lanes: number) => number): StoreStmt {
  const visit = (e: Expr): Expr => {
    const type = e.type.lanes > 1 ? { ...e.type, lanes: lanesOf(e.type.lanes) } : e.type;
    if (e.kind === 'const' || e.kind === 'var') return { ...e, type };
    if (e.kind === 'load') return { ...e, type };
    return { ...mapOperands(e, visit), type };
  };
  return { ...s, value: visit(s.value) };
}

/** Every signal and every wait of one handover left out. */
const handovers = (kernel: Kernel): Mutant[] => {
  const keyOf = (s: Stmt): string | undefined => (s.kind === 'signal' || s.kind === 'wait' ? `${s.from} ${s.to} ${s.flag}` : undefined);
  const keys = [...new Set(allStatements(kernel.body).flatMap((s) => keyOf(s) ?? []))];
  const without = (list: readonly Stmt[], key: string): Stmt[] =>
    list
      .filter((s) => keyOf(s) !== key)
      .map((s) => (s.kind === 'for' ? { ...s, body: without(s.body, key) } : s.kind === 'if' ? { ...s, then: without(s.then, key), else: without(s.else, key) } : s));
  return keys.map((key) => ({ title: `no handover of ${key}`, kernel: { ...kernel, body: without(kernel.body, key) }, verdict: 'ask', rule: order }));
};

const signals: Readonly<Record<string, Mutation>> = {
  'a signal left out': (kernel) =>
    mutants(
      editEach(kernel, (s) => (s.kind === 'signal' ? [] : undefined)),
      'signal left out:',
      order,
    ),
  'a wait left out': (kernel) =>
    mutants(
      editEach(kernel, (s) => (s.kind === 'wait' ? [] : undefined)),
      'wait left out:',
      order,
    ),
  'another flag': (kernel) =>
    mutants(
      editEach(kernel, (s) => (s.kind === 'wait' ? [{ ...s, flag: s.flag === 7 ? 0 : 7 }] : undefined)),
      'wait for another flag:',
      order,
    ),
  'another pipe': (kernel) =>
    mutants(
      editEach(kernel, (s) => {
        // A matrix unit's pipes do not hand over to others.
        const isOther = s.kind !== 'wait' || [s.from, s.to].some((pipe) => pipe === 'fill' || pipe === 'matrix' || pipe === 'drain');
        const next: Pipe | undefined = isOther ? undefined : (['vector', 'out', 'in'] as const).find((pipe) => pipe !== s.from && pipe !== s.to);
        return s.kind === 'wait' && next !== undefined ? [{ ...s, to: next }] : undefined;
      }),
      'wait by another pipe:',
      order,
    ),
};

const copies = ({ alignsCopies }: TileLanguageRules): Readonly<Record<string, Mutation>> => ({
  'a copy that begins elsewhere in global memory': (kernel) => {
    const sizes = sizesOf(kernel);
    const params = new Set(kernel.params.map((p) => p.name));
    const moved = (by: (elements: number) => number): Kernel[] =>
      editEach(kernel, (s) => {
        if (s.kind !== 'copy') return undefined;
        const side = params.has(s.to.buffer) ? 'to' : 'from';
        return [{ ...s, [side]: { ...s[side], index: further(s[side].index, by(sizes(s[side].buffer))) } }];
      });
    return [
      ...mutants(
        moved((n) => n),
        'copy past the end:',
        bounds,
      ),
      ...mutants(
        moved(() => 1),
        'copy one element on:',
        /out of bounds|never-written|race/,
      ),
    ];
  },
  'a copy that begins elsewhere in the scratchpad': (kernel) => {
    const scratch = new Set(kernel.scratch.map((b) => b.name));
    const isStaged = stagedOf(kernel);
    return mutants(
      editEach(kernel, (s) => {
        if (s.kind !== 'copy' || isStaged(s.to.buffer)) return undefined;
        const side = scratch.has(s.to.buffer) ? 'to' : 'from';
        return [{ ...s, [side]: { ...s[side], index: further(s[side].index, 1) } }];
      }),
      'copy at an odd place:',
      places,
      alignsCopies ? 'sure' : 'ask',
    );
  },
  'a copy of more than there is': (kernel) => {
    const sizes = sizesOf(kernel);
    return mutants(
      editEach(kernel, (s) => (s.kind === 'copy' ? [{ ...s, elements: further(s.elements, Math.max(sizes(s.to.buffer), sizes(s.from.buffer))) }] : undefined)),
      'copy too long:',
      bounds,
    );
  },
  'a copy of less than is used': (kernel) =>
    mutants(
      editEach(kernel, (s) => (s.kind === 'copy' && !stagedOf(kernel)(s.to.buffer) ? [{ ...s, elements: further(s.elements, -1) }] : undefined)),
      'copy too short:',
      order,
    ),
  'a copy left out': (kernel) =>
    mutants(
      editEach(kernel, (s) => (s.kind === 'copy' ? [] : undefined)),
      'copy left out:',
      order,
    ),
});

/** Some keep the alignment, of the others their meaning tells. */
const oddPlaces = (kernel: Kernel, { aligns = () => true }: TileLanguageRules, title: string, edit: (s: StoreStmt) => Stmt | undefined): Mutant[] =>
  ([true, false] as const).flatMap((isAligned) =>
    mutants(
      editEach(kernel, (s) => {
        const edited = isInstruction(s) && aligns(s.value) === isAligned ? edit(s) : undefined;
        return edited === undefined ? undefined : [edited];
      }),
      title,
      places,
      isAligned ? 'sure' : 'ask',
    ),
  );

const instructions = (rules: TileLanguageRules): Readonly<Record<string, Mutation>> => ({
  'an instruction left out': (kernel) =>
    mutants(
      editEach(kernel, (s) => (isInstruction(s) ? [] : undefined)),
      'instruction left out:',
      order,
    ),
  'a result at an odd place': (kernel) => oddPlaces(kernel, rules, 'result at an odd place:', (s) => ({ ...s, index: further(s.index, 1) })),
  'an operand at an odd place': (kernel) =>
    oddPlaces(kernel, rules, 'operand at an odd place:', (s) => (reads(s.value) ? withOperands(s, (e) => ({ ...e, index: further(e.index, 1) })) : undefined)),
  'an operand past the end': (kernel) => {
    const sizes = sizesOf(kernel);
    return mutants(
      editEach(kernel, (s) => (isInstruction(s) && reads(s.value) ? [withOperands(s, (e) => ({ ...e, index: further(e.index, sizes(e.buffer)) }))] : undefined)),
      'operand past the end:',
      bounds,
    );
  },
  'a result past the end': (kernel) => {
    const sizes = sizesOf(kernel);
    return mutants(
      editEach(kernel, (s) => (isInstruction(s) ? [{ ...s, index: further(s.index, sizes(s.buffer)) }] : undefined)),
      'result past the end:',
      bounds,
    );
  },
  'twice as many elements': (kernel) =>
    mutants(
      editEach(kernel, (s) => (isInstruction(s) ? [withLanes(s, (n) => 2 * n)] : undefined)),
      'instruction twice as long:',
      places,
    ),
  'half the elements': (kernel) =>
    mutants(
      editEach(kernel, (s) => (isInstruction(s) ? [withLanes(s, (n) => Math.max(n >> 1, 2))] : undefined)),
      'instruction half as long:',
      /never-written|granularity/,
    ),
});

const oddCounts = (hasCounts: (value: Expr) => boolean): Readonly<Record<string, Mutation>> => ({
  'a number of elements that the unit has not': (kernel) =>
    mutants(
      editEach(kernel, (s) => (isInstruction(s) && hasCounts(s.value) ? [withLanes(s, (n) => n - 1)] : undefined)),
      'an odd number of elements:',
      /granularity/,
      'sure',
    ),
});

/** Steps of a matrix unit with one thing changed. */
const steps = (kernel: Kernel, change: (step: MatrixStep) => MatrixStep | 'none' | undefined): Kernel[] =>
  editEach(kernel, (s) => {
    const step = s.kind === 'matrix' ? change(s.step) : undefined;
    return step === undefined ? undefined : step === 'none' ? [] : [{ kind: 'matrix', step }];
  });

const matrix: Readonly<Record<string, Mutation>> = {
  'a factor that is not filled': (kernel) =>
    mutants(
      steps(kernel, (step) => (step.do === 'load' ? 'none' : undefined)),
      'fill left out:',
      order,
    ),
  'a sum that is not written': (kernel) =>
    mutants(
      steps(kernel, (step) => (step.do === 'store' ? 'none' : undefined)),
      'store left out:',
      order,
    ),
  'a sum written elsewhere': (kernel) =>
    [1, 200_000].flatMap((by) =>
      mutants(
        steps(kernel, (step) => (step.do === 'store' ? { ...step, to: { ...step.to, index: further(step.to.index, by) } } : undefined)),
        `sum written ${by} on:`,
        /out of bounds|never-written|race|misaligned/,
      ),
    ),
  'more of a sum than there is': (kernel) =>
    (['lines', 'elements'] as const)
      .flatMap((side) =>
        mutants(
          steps(kernel, (step) => (step.do === 'store' ? { ...step, to: { ...step.to, [side]: further(step.to[side] ?? index(0), 64) } } : undefined)),
          `more ${side} of a sum:`,
          /out of bounds|never-written|race/,
        ),
      )
      .concat(
        // Where sums lie in the scratchpad, a copy takes them on.
        mutants(
          editEach(kernel, (s) => (s.kind === 'copy' && isMoreThanOne(s.rows) && !stagedOf(kernel)(s.to.buffer) ? [{ ...s, rows: further(s.rows, 64) }] : undefined)),
          'more rows of a tile:',
          /out of bounds|never-written|race/,
        ),
      ),
  'too much memory of fragments': (kernel) =>
    (['a', 'b'] as const).flatMap((role) => {
      const { bytes, units } = kernel.tiles!.matrix!;
      const least = (unit: MatrixUnit): number =>
        unit.k * Math.min(unit.m, unit.n) * Math.min(...units.map((each) => byteWidth(fragmentDType({ unit: each, role, order: 'rows' }))));
      const wider = (unit: MatrixUnit): MatrixUnit => ({ ...unit, k: unit.k * (Math.ceil((bytes[role] ?? kernel.tiles!.scratchBytes) / least(unit)) + 1) });
      const changed = steps(kernel, (step) =>
        step.do === 'declare' && step.fragment.role === role ? { ...step, fragment: { ...step.fragment, unit: wider(step.fragment.unit) } } : undefined,
      );
      return mutants(changed, `too large ${role}:`, /limit of the chip/, 'sure');
    }),
};

const scratchpad: Readonly<Record<string, Mutation>> = {
  'too much of the scratchpad': (kernel) =>
    kernel.scratch.map((s, i) => {
      const most = s.fragment === undefined ? kernel.tiles!.scratchBytes : (kernel.tiles!.matrix!.bytes.staging ?? kernel.tiles!.scratchBytes);
      const elements = Math.ceil(most / byteWidth(s.dtype)) + 256;
      const scratch = kernel.scratch.map((other, j) => (i === j ? { ...other, elements } : other));
      return { title: `${s.name} too large`, kernel: { ...kernel, scratch }, verdict: 'sure', rule: /limit of the chip: .*(asks for|declares) \d+ bytes/ };
    }),
  'too little of the scratchpad': (kernel) =>
    kernel.scratch.flatMap((s, i) => {
      const scratch = kernel.scratch.map((other, j) => (i === j ? { ...other, elements: Math.ceil(other.elements / 2) } : other));
      // A mask has a bit for each element in some languages.
      return s.elements < 64 || s.dtype === 'bool' ? [] : [{ title: `${s.name} too small`, kernel: { ...kernel, scratch }, verdict: 'ask', rule: bounds } satisfies Mutant];
    }),
  'a line that another core stores into': (kernel) => {
    const params = new Set(kernel.params.map((p) => p.name));
    const moved = editEach(kernel, (s) => (s.kind === 'store' && params.has(s.buffer) ? [{ ...s, index: further(s.index, 1) }] : undefined));
    return mutants(moved, 'scalar store one element on:', /race|out of bounds|never-written/);
  },
};

/** What is left out of the text, where it is needed. */
const textual = (texts: TileLanguageRules['texts']): Readonly<Record<string, Mutation>> =>
  Object.fromEntries(
    Object.entries(texts).map(([kind, { pattern, rule, by = () => '', needed }]): readonly [string, Mutation] => [
      kind,
      (kernel) =>
        needed(kernel).map((at): Mutant => {
          let count = 0;
          return { title: `${kind}: ${at}`, kernel, verdict: 'sure', rule, text: (text) => text.replaceAll(pattern, (found) => (count++ === at ? by(found) : found)) };
        }),
    ]),
  );

const shared = ['a load past the end', 'a store past the end', 'a bound not checked', 'a turn too many'] as const;
const oneCoreMore: Mutation = (kernel) => [
  { title: 'a core more', kernel: { ...kernel, grid: { ...kernel.grid, extent: kernel.grid.extent + 1 } }, verdict: 'ask', rule: /out of bounds|never-written|race/ },
];
/** All kinds for a language. */
export const tileMutations = (rules: TileLanguageRules): Readonly<Record<string, Mutation>> => ({
  'a handover left out': handovers,
  ...(rules.hasSignals ? signals : {}),
  ...copies(rules),
  ...instructions(rules),
  ...(rules.hasCounts === undefined ? {} : oddCounts(rules.hasCounts)),
  ...scratchpad,
  ...(rules.hasMatrix ? matrix : {}),
  ...Object.fromEntries(shared.map((kind) => [kind, threadMutations[kind]!])),
  'a core too many': oneCoreMore,
  ...textual(rules.texts),
});
