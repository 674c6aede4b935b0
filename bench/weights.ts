// Opens and runs a model with large external weights in a process of its own per device, and reports times and peak memory beside the
// weights: `node --import tsx bench/weights.ts [--gigabytes 2] [--device cpu]...`. The weights are a sparse file that is deleted afterwards.
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeMessage } from '../src/formats/onnx/writeMessage.ts';
import { loadModel, openModel } from '../src/session/create.ts';
import { seededFeeds } from '../src/session/feeds.ts';

const WIDTH = 2896;
const LAYER_BYTES = WIDTH * WIDTH * 4;

/** Layers of x · W and Relu, and one table of embeddings that takes a quarter of the weights. */
function writeModel(folder: string, bytes: number): number {
  const layers = Math.round((bytes * 3) / 4 / LAYER_BYTES);
  const rows = Math.round(bytes / 4 / (WIDTH * 4));
  const total = layers * LAYER_BYTES + rows * WIDTH * 4;
  const external = (name: string, dims: readonly number[], offset: number) => ({
    name,
    dims: dims.map(BigInt),
    dataType: 1,
    dataLocation: 1,
    externalData: Object.entries({ location: 'weights.bin', offset: String(offset), length: String(dims.reduce((a, b) => a * b, 4)) }).map(([key, value]) => ({ key, value })),
  });
  const info = (name: string, elemType: number, dims: readonly number[]) => ({
    name,
    type: { tensorType: { elemType, shape: { dim: dims.map((d) => ({ dimValue: BigInt(d) })) } } },
  });
  const graph = {
    name: 'weights',
    input: [info('i', 7, [1])],
    output: [info('y', 1, [1, WIDTH])],
    initializer: [external('table', [rows, WIDTH], layers * LAYER_BYTES), ...Array.from({ length: layers }, (_, i) => external(`w${i}`, [WIDTH, WIDTH], i * LAYER_BYTES))],
    node: [
      { opType: 'Gather', input: ['table', 'i'], output: ['x0'] },
      ...Array.from({ length: layers }, (_, i) => [
        { opType: 'MatMul', input: [`x${i}`, `w${i}`], output: [`m${i}`] },
        { opType: 'Relu', input: [`m${i}`], output: [i === layers - 1 ? 'y' : `x${i + 1}`] },
      ]).flat(),
    ],
  };
  writeFileSync(join(folder, 'model.onnx'), writeMessage('ModelProto', { irVersion: 10n, opsetImport: [{ domain: '', version: 21n }], graph }));
  const file = openSync(join(folder, 'weights.bin'), 'w');
  ftruncateSync(file, total);
  closeSync(file);
  return total;
}

/** Peak of resident memory, and what of it is files and what is the process's own now, bytes. */
function memory(): { readonly peak: number; readonly own: number; readonly files: number } {
  const status = readFileSync('/proc/self/status', 'utf8');
  const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) * 1024;
  return { peak: read('VmHWM'), own: read('RssAnon'), files: read('RssFile') };
}

async function measure(path: string, device: string): Promise<void> {
  const start = performance.now();
  const model = loadModel(path);
  const opened = performance.now();
  const afterOpen = memory();
  const { values } = seededFeeds(model.graph, new Map(), {}, 0);
  const session = await openModel(model, { executionProviders: [device], maxMemoryBytes: 2 ** 40 });
  const compiled = performance.now();
  const afterLoad = memory();
  await session.runValues(values);
  const ran = performance.now();
  process.stdout.write(JSON.stringify({ open: opened - start, load: compiled - opened, run: ran - compiled, afterOpen, afterLoad, afterRun: memory() }));
  await session.release();
}

const { values: given } = parseArgs({
  options: { gigabytes: { type: 'string', default: '2' }, device: { type: 'string', multiple: true, default: ['reference', 'cpu', 'wasm'] }, measure: { type: 'string' } },
});
if (given.measure !== undefined) await measure(given.measure, given.device[0]!);
else {
  const folder = mkdtempSync(join(tmpdir(), 'anychip-weights-'));
  try {
    const total = writeModel(folder, Number(given.gigabytes) * 2 ** 30);
    const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
    process.stdout.write(`weights ${mib(total)}\n`);
    for (const device of given.device) {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        ['--import', 'tsx', fileURLToPath(import.meta.url), '--measure', join(folder, 'model.onnx'), '--device', device],
        { encoding: 'utf8' },
      );
      if (status !== 0) {
        process.stdout.write(`${device}: ${/AnychipError: .*/.exec(stderr)?.[0] ?? stderr.slice(-400)}\n`);
        continue;
      }
      const { open, load, run, afterOpen, afterLoad, afterRun } = JSON.parse(stdout);
      process.stdout.write(
        `${device}: open ${open.toFixed(0)} ms (peak ${mib(afterOpen.peak)}), compile and load ${(load / 1000).toFixed(1)} s (peak ${mib(afterLoad.peak)}, own ${mib(afterLoad.own)}, files ${mib(afterLoad.files)}), first run ${(run / 1000).toFixed(1)} s; peak ${mib(afterRun.peak)} = ${(afterRun.peak / total).toFixed(2)} × the weights\n`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
