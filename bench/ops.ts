// Single operators, anychip beside its peers, in one interleaved run: medians and ratios to the first peer.
//   npx tsx bench/ops.ts [--only GLOB] [--devices cpu,wasm] [--peers onnxruntime-node] [--threads 1] [--rounds 15] [--clock wall] [--json]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { globPattern } from '../src/conformance/suite.ts';
import { compareAll, sharedOptions } from './compare.ts';
import { opModels } from './opModels.ts';

const { values: given } = parseArgs({ options: sharedOptions });
const folder = mkdtempSync(join(tmpdir(), 'anychip-ops-'));
try {
  const wanted = globPattern(given.only);
  const cases = opModels()
    .filter(({ name }) => wanted.test(name))
    .map(({ name, bytes }, i) => {
      const path = join(folder, `${i}.onnx`);
      writeFileSync(path, bytes);
      return { name, model: path, dataSets: [] };
    });
  await compareAll(cases, given);
} finally {
  rmSync(folder, { recursive: true });
}
process.exit(0);
