// The house as it is planned: which room may import which, no names of chips or models' operators in shared rooms, and a comment that
// opens every file. Length of files and functions, import cycles, `any` and `as` are the linter's business (.oxlintrc.json).
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { onnxOps } from '../src/graph/ops.ts';

const source = fileURLToPath(new URL('../src', import.meta.url));
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .sort();
const textOf = (name: string): string => readFileSync(join(source, name), 'utf8');

interface Room {
  readonly may: readonly string[];
  /** Only types: nothing of that room runs here. */
  readonly types?: readonly string[];
}

/** By folder of src, or file directly in it. The order is that of the way of a model; nobody imports what comes later, with reasons where a type does. */
const rooms: Readonly<Record<string, Room>> = {
  core: { may: [] },
  graph: { may: ['core'] },
  reference: { may: ['core', 'graph'] },
  formats: { may: ['core', 'graph'] },
  passes: { may: ['core', 'graph'] },
  kernel: { may: ['core'] },
  // A renderer is given a module of kernels: the one thing that chips are told about programs.
  runtime: { may: ['core'], types: ['kernel'] },
  // Capabilities of a chip, never the chip.
  schedule: { may: ['core', 'graph', 'kernel'], types: ['runtime'] },
  render: { may: ['core', 'kernel'], types: ['runtime'] },
  ffi: { may: ['core'] },
  // Chips whose driver launches kernels one by one are rows of its table.
  driver: { may: ['core', 'kernel', 'render', 'runtime', 'ffi'] },
  // The kernel room says which dtypes it can store.
  targets: { may: ['core', 'kernel', 'render', 'runtime', 'ffi', 'driver'] },
  'plan.ts': { may: ['core'], types: ['graph', 'passes', 'runtime', 'schedule'] },
  'planFile.ts': { may: ['core', 'graph', 'plan.ts'] },
  // Engines that compile whole models are given files.
  'compile.ts': { may: ['core', 'graph', 'formats', 'passes', 'reference', 'runtime', 'schedule', 'plan.ts'] },
  session: { may: ['core', 'graph', 'formats', 'passes', 'reference', 'runtime', 'targets', 'plan.ts', 'compile.ts', 'planFile.ts'], types: ['schedule'] },
  inspect: { may: ['core', 'graph', 'formats', 'runtime', 'session', 'compile.ts'], types: ['passes', 'schedule', 'plan.ts'] },
  conformance: { may: ['core', 'graph', 'formats', 'session'] },
  cli: { may: ['core', 'graph', 'formats', 'reference', 'session', 'inspect', 'conformance'] },
  'api.ts': { may: ['core', 'formats', 'reference', 'session', 'compile.ts', 'planFile.ts'], types: ['graph', 'plan.ts', 'runtime'] },
  'index.ts': { may: ['session', 'api.ts'] },
  'web.ts': { may: ['session', 'api.ts'] },
  // A program of its own: the vendor's compiler of models, on virtual chips.
  'virtualAtc.ts': { may: ['core', 'formats', 'targets', 'compile.ts'], types: ['graph', 'passes', 'plan.ts'] },
  // The face for chips from outside.
  'target.ts': { may: ['driver', 'render', 'session'], types: ['runtime'] },
};

const roomOf = (name: string): string => name.split('/')[0]!;

interface Import {
  readonly from: string;
  /** A path below src, or the name of a package. */
  readonly to: string;
  readonly isType: boolean;
}

const IMPORT = /^(?:import|export)\s+(type\s+)?(?:[^;'"]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm;

function importsOf(name: string): Import[] {
  return [...textOf(name).matchAll(IMPORT)].map((match) => {
    const path = match[2] ?? match[3]!;
    const to = path.startsWith('.') ? relative(source, resolve(source, dirname(name), path)) : path;
    return { from: name, to, isType: match[1] !== undefined };
  });
}
const imports = files.flatMap(importsOf);

/** What the web bundle takes of others. */
const webPackages = ['@bufbuild/protobuf/wire', 'fflate', 'jpeg-js/lib/decoder.js', 'onnxruntime-common'];
const NODE_GLOBAL = /\b(?:process\.|globalThis\.process|__dirname|setImmediate|Buffer\.(?:from|alloc|concat|byteLength))/;
const codeOf = (name: string): string => textOf(name).replaceAll(/^\s*(?:\/\/|\*|\/\*).*$/gm, '');

/** Files of src that run when these do, imports of types left aside. */
function reachedFrom(...entries: readonly string[]): string[] {
  const reached = new Set(entries);
  for (const name of reached) for (const { from, to, isType } of imports) if (from === name && !isType && files.includes(to)) reached.add(to);
  return [...reached];
}

describe('rooms', () => {
  it('are all in the table', () => {
    expect([...new Set(files.map(roomOf))].sort()).toEqual(Object.keys(rooms).sort());
    expect(imports.length).toBeGreaterThan(500);
  });

  it('import only what they may', () => {
    const wrong = imports.filter(({ from, to, isType }) => {
      const [here, there] = [roomOf(from), roomOf(to)];
      if (!(there in rooms) || here === there) return false;
      const { may, types = [] } = rooms[here]!;
      return !may.includes(there) && !(isType && types.includes(there));
    });
    expect(wrong.map(({ from, to, isType }) => `${from} → ${to}${isType ? ' (type)' : ''}`)).toEqual([]);
  });

  it('have no cycle, types included', () => {
    const before = new Set<string>();
    const order = Object.keys(rooms);
    const later = order.flatMap((room) => {
      before.add(room);
      const { may, types = [] } = rooms[room]!;
      return [...may, ...types].filter((other) => !before.has(other)).map((other) => `${room} → ${other}`);
    });
    expect(later).toEqual([]);
  });

  it('of targets do not know each other', () => {
    const chipOf = (name: string): string | undefined => /^targets\/([^/]+)\//.exec(name)?.[1];
    const wrong = imports.filter(({ from, to }) => chipOf(from) !== undefined && chipOf(to) !== undefined && chipOf(from) !== chipOf(to));
    expect(wrong).toEqual([]);
  });

  it('of families do not know each other', () => {
    const familyOf = (name: string): string | undefined => /^schedule\/(simd|simt|tile)\//.exec(name)?.[1];
    const wrong = imports.filter(({ from, to }) => familyOf(from) !== undefined && familyOf(to) !== undefined && familyOf(from) !== familyOf(to));
    expect(wrong).toEqual([]);
  });

  it('keep native code behind one seam, and protobuf in its format', () => {
    const users = (name: string): string[] => [...new Set(imports.filter(({ to }) => to === name || to.startsWith(`${name}/`)).map(({ from }) => from))];
    expect(users('koffi')).toEqual(['ffi/native.ts']);
    expect(users('@bufbuild/protobuf').filter((from) => !from.startsWith('formats/onnx/'))).toEqual([]);
  });

  it('that a browser loads use nothing of Node', () => {
    const loaded = reachedFrom('web.ts', 'targets/wasm/browserWorker.ts');
    expect(loaded.length).toBeGreaterThan(200);
    const packages = imports.filter(({ from, to }) => loaded.includes(from) && !files.includes(to)).map(({ to }) => to);
    expect([...new Set(packages)].sort()).toEqual(webPackages);
    const globals = loaded.filter((name) => name !== 'core/environment.ts' && NODE_GLOBAL.test(codeOf(name)));
    expect(globals).toEqual([]);
  });

  it('that must load in a browser use nothing of Node, whoever imports them', () => {
    const portable = ['core', 'graph', 'reference', 'passes', 'kernel', 'schedule', 'render'];
    expect(imports.filter(({ from, to }) => portable.includes(roomOf(from)) && to.startsWith('node:'))).toEqual([]);
  });
});

describe('names', () => {
  const compared = (name: string): { readonly word: string; readonly line: string }[] =>
    textOf(name)
      .split('\n')
      .filter((line) => !/^\s*(?:\/\/|\*|\/\*)/.test(line))
      .flatMap((line) => [...line.matchAll(/(?:[!=]==\s*|case\s+|includes\(|has\()'(\w+)'|'(\w+)'\s*[!=]==/g)].map((m) => ({ word: m[1] ?? m[2]!, line: line.trim() })));

  it('of chips are asked for nowhere: shared code asks a capability', () => {
    const chips = readdirSync(join(source, 'targets'), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
    expect(chips).toContain('cpu');
    // onnxruntime-common calls host memory 'cpu': a place of data, not a target.
    const places = new Set(['session/options.ts', 'session/ortTensor.ts']);
    const wrong = files
      .filter((name) => roomOf(name) !== 'targets' && !places.has(name))
      .flatMap((name) =>
        compared(name)
          .filter(({ word }) => chips.includes(word))
          .map(({ line }) => `${name}: ${line}`),
      );
    expect(wrong).toEqual([]);
  });

  it('of operators are asked for only where one operator is at home: others ask a trait, or look into a total table', () => {
    // Bodies of control flow are inlined by it; the others are the op tables themselves, and formats that define operators.
    const homes = /^(?:graph\/ops|reference|passes\/decompose|formats\/onnx)\/|^passes\/inlineControl\.ts$|^reference\//;
    const wrong = files
      .filter((name) => !homes.test(name))
      .flatMap((name) =>
        compared(name)
          .filter(({ word }) => word in onnxOps)
          .map(({ line }) => `${name}: ${line}`),
      );
    expect(wrong).toEqual([]);
  });
});

describe('files', () => {
  it('open with a comment that says what they are for', () => {
    const silent = files.filter((name) => !/^(?:#!.*\n)?\/\/ \S/.test(textOf(name)));
    expect(silent).toEqual([]);
  });

  it('throw no bare Error', () => {
    expect(files.filter((name) => /\bnew Error\(/.test(textOf(name)))).toEqual([]);
  });
});
