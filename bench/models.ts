// Whole models, anychip beside its peers, in one interleaved run: medians and ratios to the first peer.
//   npm run bench -- [--models DIR] [--only GLOB] [--devices cpu,wasm] [--peers onnxruntime-node] [--threads 1] [--rounds 15] [--clock wall] [--json]
// DIR holds one folder a model, in the layout of ONNX's backend tests.
import { parseArgs } from 'node:util';
import { listCases } from '../src/conformance/suite.ts';
import { compareAll, sharedOptions } from './compare.ts';

const { values: given } = parseArgs({ options: { ...sharedOptions, models: { type: 'string', default: 'examples/models' } } });
await compareAll(listCases(given.models, given.only), given);
process.exit(0);
