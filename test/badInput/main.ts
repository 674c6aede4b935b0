// The long run of the fuzzer: `npm run fuzz -- --count 3000 --seed 1`. Keeps what failed, to be looked at.
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MAX_MEMORY_BYTES, SUITE, fuzz } from './fuzz.ts';
import type { FuzzResult } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '1' },
    device: { type: 'string', default: 'cpu' },
    share: { type: 'string', default: '0.1' },
    models: { type: 'string', multiple: true, default: [SUITE] },
    memory: { type: 'string', default: String(MAX_MEMORY_BYTES) },
    keep: { type: 'string', default: join(tmpdir(), 'anychip-fuzz') },
  },
});

const titleOf = ({ outcome }: FuzzResult): string =>
  outcome.kind === 'failed' ? `failed: ${outcome.what}` : outcome.kind === 'refused' ? `refused: ${outcome.code}` : outcome.kind;

const results = await fuzz({
  count: Number(values.count),
  seed: Number(values.seed),
  device: values.device,
  deviceShare: Number(values.share),
  folders: values.models,
  maxMemoryBytes: Number(values.memory),
  onResult: (result, done) => {
    if (result.outcome.kind === 'failed') process.stdout.write(`${result.id} ${result.seedModel} on ${result.device}: ${result.outcome.what}\n`);
    if (process.stderr.isTTY) process.stderr.write(`\r${done}`);
  },
});
const failures = results.filter(({ outcome }) => outcome.kind === 'failed');
mkdirSync(values.keep, { recursive: true });
for (const { id, bytes, outcome } of failures) {
  writeFileSync(join(values.keep, `${values.seed}-${id}.onnx`), bytes);
  if (outcome.kind === 'failed') writeFileSync(join(values.keep, `${values.seed}-${id}.txt`), `${outcome.what}\n${outcome.detail}\n`);
}
const counts = new Map<string, number>();
for (const result of results) counts.set(titleOf(result), (counts.get(titleOf(result)) ?? 0) + 1);
for (const [title, count] of [...counts].sort((a, b) => b[1] - a[1])) process.stdout.write(`${String(count).padStart(6)} ${title}\n`);
const slowest = results.reduce((most, { millis }) => Math.max(most, millis), 0);
process.stdout.write(`${results.length} models, ${failures.length} failures (kept in ${values.keep}), slowest ${(slowest / 1000).toFixed(1)} s\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
