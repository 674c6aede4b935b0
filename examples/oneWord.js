// A program that uses a model: what stands in the line of DEVICE is all that it says of chips (node examples/oneWord.js MODEL PICTURE).
// test/session/oneWord.test.ts runs it on every device, with that one word changed, and compares what it prints.
import { readFileSync } from 'node:fs';
import { imageFeed, InferenceSession, loadModel, Tensor } from '../dist/index.js';

const DEVICE = 'cpu';
const [, , model, picture] = process.argv;

const { data, shape } = imageFeed(loadModel(model).graph, 'image', readFileSync(picture));
const session = await InferenceSession.create(model, { executionProviders: [DEVICE] });
const outputs = await session.run({ image: new Tensor('float32', data, shape) });
for (const [name, { type, dims, data: values }] of Object.entries(outputs)) {
  console.log(`${name} ${type} [${dims.join(', ')}], largest at ${values.indexOf(Math.max(...values))}:`, [...values].join(' '));
}
await session.release();
