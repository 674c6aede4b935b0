// Kernel statements in the languages of C's family: one total table from kind to lines.
import { AnychipError, invariant } from '../../core/error.ts';
import type { Expr, Fragment, FragmentPlace, MatrixStep, Place, Rows, Stmt, StmtKind } from '../../kernel/ir.ts';
import { linesOf } from '../../kernel/matrix.ts';
import { storePipe } from '../../kernel/pipes.ts';
import { operandsOf } from '../../kernel/rewriteKernel.ts';
import type { FactorText, FetchSyntax, FragmentText, MatrixSyntax, RowsText, TileInstruction, TileMatrixSyntax, TileOperand, TileSyntax } from './dialect.ts';
import { bufferDType, bufferText, exprText, positionText } from './expression.ts';
import type { Scope } from './expression.ts';
import { storageIn } from './types.ts';

type StmtOf = { readonly [K in StmtKind]: Extract<Stmt, { kind: K }> };

export interface Lines extends Scope {
  /** Of buffers that a matrix unit's factors are filled from. */
  readonly fragments?: ReadonlyMap<string, Fragment>;
  readonly lines: string[];
}

function storeText(s: StmtOf['store'], scope: Scope): string {
  const p = scope.prelude;
  const storage = storageIn(p.dialect, bufferDType(scope, s.buffer));
  const { dtype, lanes } = s.value.type;
  const at = positionText(scope, s.buffer, s.index);
  let value = exprText(s.value, scope);
  if (storage.float !== undefined) return storage.float.store(p, lanes, s.buffer, at, value);
  if (storage.bits !== undefined) value = exprText({ kind: 'narrow', type: s.value.type, to: bufferDType(scope, s.buffer), x: s.value }, scope);
  if (lanes === 1) {
    return p.dialect.tiles?.assign(bufferText(scope, s.buffer), at, value) ?? `${s.buffer}[${at}] = ${storage.bytes < 4 ? `(${storage.c})${value}` : value};`;
  }
  return p.dialect.vectors.store(p, storage, s.value.type, `${s.buffer} + ${at}`, dtype === 'bool' ? `(-${value})` : value);
}

const stmtTexts: { readonly [K in StmtKind]: (s: StmtOf[K], out: Lines, indent: string) => void } = {
  for: (s, out, indent) => {
    const { index, unroll } = out.prelude.dialect;
    if (s.unroll === true) out.lines.push(`${indent}${unroll}`);
    const step = s.step === 1 ? `${s.var}++` : `${s.var} += ${s.step}`;
    out.lines.push(`${indent}for (${index} ${s.var} = ${exprText(s.from, out)}; ${s.var} < ${exprText(s.to, out)}; ${step}) {`);
    block(s.body, out, `${indent}  `);
    out.lines.push(`${indent}}`);
  },
  let: (s, out, indent) => void out.lines.push(`${indent}${out.prelude.type(s.value.type)} ${s.name} = ${outer(s.value, out)};`),
  assign: (s, out, indent) => void out.lines.push(`${indent}${s.name} = ${outer(s.value, out)};`),
  store: (s, out, indent) => {
    const { tiles } = out.prelude.dialect;
    const isInstruction = tiles !== undefined && storePipe(s) === 'vector';
    out.lines.push(indent + (isInstruction ? tiles.vector(out.prelude, instructionOf(s, out)) : storeText(s, out)));
  },
  if: (s, out, indent) => {
    out.lines.push(`${indent}if (${outer(s.condition, out)}) {`);
    block(s.then, out, `${indent}  `);
    if (s.else.length > 0) {
      out.lines.push(`${indent}} else {`);
      block(s.else, out, `${indent}  `);
    }
    out.lines.push(`${indent}}`);
  },
  barrier: (s, out, indent) => {
    const { barrier } = out.prelude.dialect;
    if (s.units === true) out.lines.push(indent + unitsOf(out).publish(out.prelude));
    if (barrier !== '') out.lines.push(indent + barrier);
  },
  shuffle: (s, out, indent) => {
    const { dialect } = out.prelude;
    invariant(dialect.shuffle !== undefined, 'the language has no shuffles: the schedule must not ask for them');
    out.lines.push(`${indent}${out.prelude.type(s.value.type)} ${s.name} = ${dialect.shuffle(outer(s.value, out), s.mask)};`);
  },
  fetch: (s, out, indent) => {
    const pointer = ({ buffer, index }: Place): string => `${buffer} + ${positionText(out, buffer, index)}`;
    const bytes = s.elements * bufferText(out, s.from.buffer).storage.bytes;
    out.lines.push(indent + fetchOf(out).fetch(out.prelude, pointer(s.to), pointer(s.from), bytes, s.when === undefined ? undefined : outer(s.when, out)));
  },
  commit: (_, out, indent) => void out.lines.push(indent + fetchOf(out).commit(out.prelude)),
  await: (s, out, indent) => void out.lines.push(indent + fetchOf(out).await(out.prelude, s.pending)),
  copy: (s, out, indent) => {
    const rows = (x: Rows): RowsText => ({ buffer: bufferText(out, x.buffer), at: exprText(x.index, out), stride: x.stride });
    const fragment = out.fragments?.get(s.to.buffer);
    if (fragment !== undefined) {
      const text = tileMatrixOf(out).copy(out.prelude, bufferText(out, s.to.buffer), fragment, rows(s.from), exprText(s.rows, out), exprText(s.elements, out));
      return void out.lines.push(indent + text);
    }
    out.lines.push(indent + tilesOf(out).copy(out.prelude, rows(s.to), rows(s.from), exprText(s.rows, out), exprText(s.elements, out)));
  },
  signal: (s, out, indent) => {
    const text = tilesOf(out).signal(s);
    if (text !== undefined) out.lines.push(indent + text);
  },
  wait: (s, out, indent) => {
    const tiles = tilesOf(out);
    const text = tiles.wait(s);
    // Where no signal tells waits apart, one is as good as several.
    const isSaid = tiles.signal(s) === undefined && out.lines.at(-1) === `${indent}${text}`;
    if (text !== undefined && !isSaid) out.lines.push(indent + text);
  },
  matrix: ({ step }, out, indent) => void matrixLines(step, out).forEach((line) => out.lines.push(indent + line)),
};

function tileMatrixText(step: MatrixStep, scope: Scope): string {
  const p = scope.prelude;
  const matrix = tileMatrixOf(scope);
  const place = (fragment: Fragment, at: FragmentPlace): FragmentText => {
    const whole = linesOf(fragment);
    const [lines, elements] = [at.lines, at.elements].map((e, i) => (e === undefined ? String(whole[i]) : exprText(e, scope)));
    return { buffer: bufferText(scope, at.buffer), at: exprText(at.index, scope), stride: at.stride, lines: lines!, elements: elements! };
  };
  switch (step.do) {
    case 'declare':
      return matrix.declare(p, step.name, step.fragment);
    case 'load':
      return matrix.load(p, step.name, step.fragment, place(step.fragment, step.from));
    case 'multiply':
      return matrix.multiply(p, step.sum, step.a, step.b, step.fragments);
    case 'store':
      return matrix.store(p, step.name, step.fragment, place(step.fragment, step.to));
    case 'begin':
    case 'settle':
      throw new AnychipError('internal', 'a scratchpad has no matrix units that read memory themselves');
  }
}

function matrixLines(step: MatrixStep, scope: Scope): readonly string[] {
  if (scope.prelude.dialect.tiles !== undefined) return [tileMatrixText(step, scope)].filter((text) => text !== '');
  const p = scope.prelude;
  const { matrix } = p.dialect;
  invariant(matrix !== undefined, 'the language has no matrix units: the schedule must not ask for them');
  const pointer = ({ buffer, index }: FragmentPlace): string => `${buffer} + ${exprText(index, scope)}`;
  const factor = (place: FragmentPlace): FactorText => ({ pointer: pointer(place), ...(place.panel === undefined ? {} : { panel: place.panel }) });
  switch (step.do) {
    case 'declare':
      return [matrix.declare(p, step.name, step.fragment)];
    case 'load':
      return [matrix.load(p, step.name, step.fragment, pointer(step.from), step.from.stride)];
    case 'multiply':
      return [matrix.multiply(p, step.sum, step.a, step.b, step.fragments)];
    case 'begin':
      return unitsOf(scope).begin(
        p,
        step.products.map(({ sum, a, b }) => ({ sum, a: factor(a), b: factor(b) })),
        step.fragments,
      );
    case 'settle':
      return [unitsOf(scope).settle(p, step.pending)];
    case 'store':
      return [matrix.store(p, step.name, step.fragment, pointer(step.to), step.to.stride, step.columns)];
  }
}

function unitsOf({ prelude }: Scope): Required<MatrixSyntax> {
  const { matrix } = prelude.dialect;
  invariant(matrix?.begin !== undefined && matrix.settle !== undefined && matrix.publish !== undefined, 'the language has no matrix units that read memory themselves');
  const { begin, settle, publish } = matrix;
  return { ...matrix, begin, settle, publish };
}

function fetchOf({ prelude }: Scope): FetchSyntax {
  const { fetch } = prelude.dialect;
  invariant(fetch !== undefined, 'the language has no copies beside other work: the schedule must not ask for them');
  return fetch;
}

function tileMatrixOf(scope: Scope): TileMatrixSyntax {
  const { matrix } = tilesOf(scope);
  invariant(matrix !== undefined, 'the language has no matrix units: the schedule must not ask for them');
  return matrix;
}

function tilesOf({ prelude }: Scope): TileSyntax {
  const { tiles } = prelude.dialect;
  invariant(tiles !== undefined, 'the language has no scratchpad: the schedule must not ask for copies');
  return tiles;
}

function operandOf(e: Expr, scope: Scope): TileOperand {
  if (e.kind === 'load') return { buffer: bufferText(scope, e.buffer), at: exprText(e.index, scope) };
  if (e.kind === 'const') return { scalar: exprText({ ...e, type: { ...e.type, lanes: 1 } }, scope), dtype: e.type.dtype };
  invariant(e.kind === 'splat', `${e.kind} as the operand of a vector instruction`);
  return { scalar: exprText(e.x, scope), dtype: e.type.dtype };
}

/** A store of one vector operation, or of what `across` makes of one. */
function instructionOf(s: StmtOf['store'], scope: Scope): TileInstruction {
  const isMove = s.value.kind === 'load' || s.value.kind === 'splat' || s.value.kind === 'const';
  const parts = isMove ? [s.value] : operandsOf(s.value);
  const { lanes } = s.value.kind === 'across' ? s.value.x.type : s.value.type;
  return { value: s.value, to: { buffer: bufferText(scope, s.buffer), at: exprText(s.index, scope) }, operands: parts.map((x) => operandOf(x, scope)), count: lanes };
}

/** An expression that nothing stands beside: the parentheses around an infix one can go. */
function outer(e: Expr, scope: Scope): string {
  const text = exprText(e, scope);
  return (e.kind === 'binary' || e.kind === 'compare') && text.startsWith('(') && text.endsWith(')') ? text.slice(1, -1) : text;
}

const dispatch = <K extends StmtKind>(s: StmtOf[K] & { readonly kind: K }, out: Lines, indent: string): void => stmtTexts[s.kind](s, out, indent);

/** Prints `body` line by line. */
export function block(body: readonly Stmt[], out: Lines, indent: string): void {
  for (const s of body) dispatch(s, out, indent);
}
