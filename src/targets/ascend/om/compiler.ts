// Huawei's compiler of whole models, atc: a file of ONNX to an offline model, kept in the compile cache.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AnychipError } from '../../../core/error.ts';
import { trace } from '../../../core/trace.ts';
import { findProgram } from '../../../driver/compiler.ts';
import { quoted } from '../../../driver/runtimeCompiler.ts';
import { contentKey } from '../../../runtime/compileCache.ts';
import type { CompileCache } from '../../../runtime/compileCache.ts';
import type { CompileReport, Compiler, Source } from '../../../runtime/device.ts';
import { omFormat } from './program.ts';

const TIMEOUT_MILLIS = 1_800_000;
const FRAMEWORK_ONNX = 5;

/** A program and the arguments that come first; `identity`: everything about it that decides what it makes. */
export interface Atc {
  readonly command: readonly [program: string, ...args: string[]];
  readonly identity: string;
}

/** Rejects with a 'device' error that says what to install. */
export async function findAtc(): Promise<Atc> {
  const path = findProgram({ name: 'atc', folders: ['/usr/local/Ascend/ascend-toolkit/latest/bin', '/usr/local/Ascend/latest/bin'] });
  if (path === undefined) {
    throw new AnychipError('device', "atc, CANN's compiler of models, is not on PATH", {
      hint: 'Install the CANN toolkit with the operators of the chip, and run its set_env.sh in this shell.',
    });
  }
  const { size, mtimeMs } = statSync(path);
  return { command: [path], identity: `${path} ${size} ${mtimeMs}` };
}

/** Shapes stand in the file. By default atc computes in f16, whatever the model says. */
const argsFor = (soc: string): string[] => [`--framework=${FRAMEWORK_ONNX}`, `--soc_version=${soc}`, '--input_format=ND', '--precision_mode_v2=origin', '--log=error'];

export class AtcCompiler implements Compiler {
  readonly #cache: CompileCache;
  readonly #find: () => Promise<Atc>;
  readonly #soc: () => Promise<string>;

  constructor(cache: CompileCache, find: () => Promise<Atc>, soc: () => Promise<string>) {
    this.#cache = cache;
    this.#find = find;
    this.#soc = soc;
  }

  async compile({ units: [model] }: Source): Promise<CompileReport> {
    if (!(model instanceof Uint8Array)) throw new AnychipError('internal', 'atc was given something else than a model');
    const [atc, soc] = await Promise.all([this.#find(), this.#soc()]);
    const format = omFormat(soc);
    const key = contentKey(['om 1', atc.identity, ...argsFor(soc), model]);
    const kept = this.#cache.get(key);
    if (kept !== undefined) return { binary: { format, bytes: kept }, cached: true };
    const start = performance.now();
    const bytes = await compileModel(atc, argsFor(soc), model);
    trace(2, () => ({ kind: 'time', message: 'atc', facts: { millis: performance.now() - start, bytes: bytes.byteLength } }));
    this.#cache.put(key, bytes);
    return { binary: { format, bytes }, cached: false };
  }
}

async function compileModel({ command: [program, ...first] }: Atc, args: readonly string[], model: Uint8Array): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), 'anychip-'));
  try {
    writeFileSync(join(folder, 'model.onnx'), model);
    const all = [...first, '--model=model.onnx', '--output=model', ...args];
    await new Promise<void>((resolve, reject) => {
      execFile(program, all, { cwd: folder, timeout: TIMEOUT_MILLIS, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
        error === null ? resolve() : reject(quoted('atc', `${stdout}${stderr}`.trim() || error.message)),
      );
    });
    return readFileSync(join(folder, 'model.om'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
