// One kernel as a function over addresses that runs a range of grid steps.
import { byteWidth } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import { index } from '../../kernel/build.ts';
import type { Expr, Kernel, Stmt, StmtKind } from '../../kernel/ir.ts';
import { assignedIn } from '../../kernel/statements.ts';
import { expandMath } from '../../kernel/math.ts';
import { lowerSmallFloats } from '../../kernel/smallFloats.ts';
import { bindIndex, constantOf, isNatural, pushAddress } from './address.ts';
import { Code } from './code.ts';
import type { WasmFunction } from './code.ts';
import { pushExpr } from './expression.ts';
import { Scope, valueType } from './scope.ts';
import type { BufferPlace, WasmFeatures } from './scope.ts';
import { storageOf, storeLanes } from './storage.ts';

/** As `scratchBytes` in kernel/ir.ts counts. */
const SCRATCH_ALIGNMENT = 64;
/** Copies of an unrolled loop's body. */
const MAX_COPIES = 64;
/** Positions in a buffer are signed 32-bit numbers. */
const MAX_ELEMENTS = 2 ** 31 - 1;

type StmtOf = { readonly [K in StmtKind]: Extract<Stmt, { kind: K }> };

interface Context {
  readonly scope: Scope;
  readonly assigned: ReadonlySet<string>;
}

const push = (e: Expr, { scope }: Context): void => pushExpr(e, scope);

function writeFor(s: StmtOf['for'], context: Context): void {
  const { scope } = context;
  const [from, to] = [constantOf(s.from, scope), constantOf(s.to, scope)];
  const trips = from === undefined || to === undefined ? undefined : Math.max(0, Math.ceil((to - from) / s.step));
  if (trips !== undefined && (trips <= 1 || (s.unroll === true && trips <= MAX_COPIES))) {
    for (let i = 0; i < trips; i++) {
      scope.block(() => {
        scope.bind(s.var, { local: undefined, plus: from! + i * s.step, depth: 0, isNatural: true, isFixed: true });
        writeBlock(s.body, context);
      });
    }
    return;
  }
  scope.block(() => writeLoop(s, trips !== undefined, context));
}

/** Tested at its end; before it as well where it may have nothing to do. */
function writeLoop(s: StmtOf['for'], runs: boolean, context: Context): void {
  const { scope } = context;
  const { code } = scope;
  const counter = scope.own('i32');
  const natural = isNatural(s.from, scope);
  push(s.from, context);
  code.set(counter);
  const known = constantOf(s.to, scope);
  const limit = known === undefined ? scope.own('i32') : undefined;
  if (limit !== undefined) {
    push(s.to, context);
    code.set(limit);
  }
  const pushLimit = (): void => (limit === undefined ? code.emit('i32.const', known!) : code.get(limit));
  if (!runs) {
    code.emit('block');
    code.emit('local.get', counter);
    pushLimit();
    code.emit('i32.ge_s');
    code.emit('br_if', 0);
  }
  code.emit('loop');
  scope.depth++;
  scope.bind(s.var, { local: counter, plus: 0, depth: scope.depth, isNatural: natural, isFixed: true });
  writeBlock(s.body, context);
  scope.depth--;
  code.emit('local.get', counter);
  code.emit('i32.const', s.step);
  code.emit('i32.add');
  code.emit('local.tee', counter);
  pushLimit();
  code.emit('i32.lt_s');
  code.emit('br_if', 0);
  code.emit('end');
  if (!runs) code.emit('end');
}

function writeStore(s: StmtOf['store'], context: Context): void {
  const { scope } = context;
  const { dtype } = scope.buffer(s.buffer);
  const storage = storageOf(dtype);
  const offset = pushAddress(s.buffer, s.index, storage.bytes, scope, (e) => push(e, context));
  push(storage.isPacked ? { kind: 'narrow', type: s.value.type, to: dtype, x: s.value } : s.value, context);
  if (s.value.type.lanes === 1) scope.code.emit(storage.store, offset);
  else scope.withLocals(['v128'], (temporary = 0) => storeLanes(scope.code, dtype, offset, temporary));
}

const noScratchpad = (): never => {
  throw new AnychipError('internal', 'wasm has no scratchpads, subgroups or matrix units: the schedule must not ask for them');
};

const stmtRules: { readonly [K in StmtKind]: (s: StmtOf[K], context: Context) => void } = {
  for: writeFor,
  let: (s, context) => {
    const { scope } = context;
    const isFixed = !context.assigned.has(s.name);
    if (s.value.type.dtype === 'index' && isFixed) return bindIndex(s.name, s.value, scope, (e) => push(e, context));
    push(s.value, context);
    const local = scope.own(valueType(s.value.type));
    scope.code.set(local);
    scope.bind(s.name, { local, plus: 0, depth: scope.depth, isNatural: false, isFixed });
  },
  assign: (s, context) => {
    push(s.value, context);
    context.scope.code.set(context.scope.binding(s.name).local!);
  },
  store: writeStore,
  if: (s, context) => {
    const { code } = context.scope;
    push(s.condition, context);
    code.emit('if');
    context.scope.block(() => writeBlock(s.then, context));
    if (s.else.length > 0) {
      code.emit('else');
      context.scope.block(() => writeBlock(s.else, context));
    }
    code.emit('end');
  },
  // A grid step is one thread here.
  barrier: () => undefined,
  fetch: noScratchpad,
  commit: noScratchpad,
  await: noScratchpad,
  copy: noScratchpad,
  signal: noScratchpad,
  wait: noScratchpad,
  shuffle: noScratchpad,
  matrix: noScratchpad,
};

const dispatch = <K extends StmtKind>(s: StmtOf[K] & { readonly kind: K }, context: Context): void => stmtRules[s.kind](s, context);

function writeBlock(body: readonly Stmt[], context: Context): void {
  for (const s of body) dispatch(s, context);
}

/** Parameters: an address for each buffer, that of scratch memory, and the grid steps [from, to). */
export function kernelFunction(source: Kernel, features: WasmFeatures): WasmFunction {
  const kernel = expandMath(lowerSmallFloats(source));
  for (const { elements, dtype } of [...kernel.params, ...kernel.scratch]) {
    if (elements <= MAX_ELEMENTS && elements * byteWidth(dtype) < 2 ** 32) continue;
    throw new AnychipError('limit', `a tensor of ${elements} elements of ${dtype} is too large for wasm`, {
      hint: 'Bind smaller dimensions, or use another device.',
      facts: { elements, dtype },
    });
  }
  const names = [...kernel.params.map((p) => p.name), 'scratch', 'from', 'to'];
  const code = new Code(names.length);
  const scratch = kernel.params.length;
  const buffers = new Map<string, BufferPlace>(kernel.params.map(({ name, dtype }, local) => [name, { local, offset: 0, dtype }]));
  let offset = 0;
  for (const { name, dtype, elements } of kernel.scratch) {
    buffers.set(name, { local: scratch, offset, dtype });
    offset += Math.ceil((elements * byteWidth(dtype)) / SCRATCH_ALIGNMENT) * SCRATCH_ALIGNMENT;
  }
  const scope = new Scope(code, features, buffers);
  const context: Context = { scope, assigned: assignedIn(kernel.body) };
  if (kernel.grid.extent === 1) writeFor({ kind: 'for', var: kernel.grid.var, from: index(0), to: index(1), step: 1, body: kernel.body }, context);
  else {
    const bound = (name: string, local: number): Expr => {
      scope.bind(name, { local, plus: 0, depth: 0, isNatural: true, isFixed: true });
      return { kind: 'var', type: { dtype: 'index', lanes: 1 }, name };
    };
    const [from, to] = [bound('grid from', scratch + 1), bound('grid to', scratch + 2)];
    writeFor({ kind: 'for', var: kernel.grid.var, from, to, step: 1, body: kernel.body }, context);
  }
  return {
    name: `$${kernel.name.replace(/[^\w.-]/g, '_')}`,
    params: names.map((name) => ({ name: `$${name}`, type: 'i32' })),
    locals: code.locals,
    instructions: code.instructions,
  };
}
