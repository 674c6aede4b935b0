// Trains the digit reader of the demo and writes examples/models/digits.onnx: `npx tsx examples/train/train.ts [STEPS]`.
// Everything is made here: pictures are drawn from the strokes in glyphs.ts as they are needed, so no two steps see the same one.
import { mkdirSync, writeFileSync } from 'node:fs';
import { exportDigits } from './exportDigits.ts';
import { digits, otherHands } from './glyphs.ts';
import type { Glyph } from './glyphs.ts';
import { Block, createPlanes, Dense } from './network.ts';
import { createUniform, render, SIZE } from './render.ts';

const BATCH = 32;
const STEPS = Number(process.argv[2] ?? 2400);
const RATE = 3e-3;
const SMOOTHING = 0.05;
const CHANNELS = [8, 16, 32] as const;
const HELD_OUT = 2000;

const initial = createUniform(1);
const normal = (): number => (initial() + initial() + initial() + initial() - 2) * Math.sqrt(3);
const input = createPlanes(BATCH, 1, SIZE, 1);
const blocks: Block[] = [];
CHANNELS.forEach((channels, i) => blocks.push(new Block(BATCH, blocks.at(-1)?.output ?? input, channels, i < CHANNELS.length - 1 ? 1 : 0, normal)));
const features = blocks.at(-1)!.output;
const dense = new Dense(features.channels * features.size ** 2, digits.length, normal);
const parameters = [...blocks.flatMap(({ weight, scale, shift }) => [weight, scale, shift]), dense.weight, dense.bias];

/** Fills the network's input with pictures, brought to mean 0 and deviation 1 as the model does; returns what they show. */
function fill(hands: readonly (readonly Glyph[])[], uniform: () => number): number[] {
  const picture = new Float32Array(SIZE * SIZE);
  return Array.from({ length: BATCH }, (_, n) => {
    const label = Math.floor(uniform() * hands.length);
    const hand = hands[label]!;
    render(hand[Math.floor(uniform() * hand.length)]!, uniform, picture);
    const mean = picture.reduce((sum, v) => sum + v, 0) / picture.length;
    const deviation = Math.sqrt(picture.reduce((sum, v) => sum + (v - mean) ** 2, 0) / picture.length) + 1e-9;
    const at = n * (SIZE + 2) ** 2;
    for (let y = 0; y < SIZE; y++) for (let x = 0; x < SIZE; x++) input.data[at + (y + 1) * (SIZE + 2) + x + 1] = (picture[y * SIZE + x]! - mean) / deviation;
    return label;
  });
}

function forward(training: boolean): Float32Array {
  for (const block of blocks) block.forward(training);
  return dense.forward(features.data, BATCH);
}

/** Softmax cross-entropy with label smoothing: scores become their gradient, the loss is returned. */
function loss(scores: Float32Array, labels: readonly number[]): number {
  const classes = digits.length;
  let total = 0;
  labels.forEach((label, n) => {
    const row = scores.subarray(n * classes, (n + 1) * classes);
    const top = Math.max(...row);
    const sum = row.reduce((s, v) => s + Math.exp(v - top), 0);
    total -= row[label]! - top - Math.log(sum);
    for (let c = 0; c < classes; c++) row[c] = (Math.exp(row[c]! - top) / sum - (c === label ? 1 - SMOOTHING : SMOOTHING / (classes - 1))) / BATCH;
  });
  return total / BATCH;
}

function backward(dScores: Float32Array): void {
  let gradient = dense.backward(features.data, dScores, BATCH);
  for (const block of blocks.toReversed()) {
    const isFirst = block.input === input;
    const inner = isFirst ? undefined : new Float32Array(BATCH * block.input.channels * block.input.size ** 2);
    block.backward(gradient, inner);
    if (inner !== undefined) gradient = inner;
  }
}

function accuracy(hands: readonly (readonly Glyph[])[], seed: number): number {
  const uniform = createUniform(seed);
  let right = 0;
  for (let count = 0; count < HELD_OUT; count += BATCH) {
    const labels = fill(hands, uniform);
    const scores = forward(false);
    labels.forEach((label, n) => {
      const row = scores.subarray(n * digits.length, (n + 1) * digits.length);
      right += Number(row.indexOf(Math.max(...row)) === label);
    });
  }
  return right / (Math.ceil(HELD_OUT / BATCH) * BATCH);
}

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;
const uniform = createUniform(2);
const start = performance.now();
let recent = 0;
for (let step = 1; step <= STEPS; step++) {
  const labels = fill(digits, uniform);
  const scores = forward(true);
  recent += loss(scores, labels);
  backward(scores);
  const rate = RATE * Math.min(1, step / 100) * (0.5 + 0.5 * Math.cos((Math.PI * step) / (STEPS + 1)));
  for (const parameter of parameters) parameter.update(rate, step);
  if (step % 100 === 0) {
    console.log(`step ${step}: loss ${(recent / 100).toFixed(3)}, ${((performance.now() - start) / 1000).toFixed(0)} s`);
    recent = 0;
  }
}
const [same, other] = [accuracy(digits, 3), accuracy(otherHands, 4)];
console.log(`held out: ${percent(same)} on other pictures of the same hands, ${percent(other)} on other hands`);
const folder = new URL('../models/', import.meta.url);
mkdirSync(folder, { recursive: true });
const notes = new Map([
  ['training', `examples/train/train.ts, ${STEPS} steps of ${BATCH} pictures drawn from strokes`],
  ['accuracy', `${percent(same)} on other pictures of the same hands, ${percent(other)} on other hands`],
]);
writeFileSync(new URL('digits.onnx', folder), exportDigits(blocks, dense, notes));
