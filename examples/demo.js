// The main job on real files: a digit reader, trained by this project, reads pictures on every device found here and is held to the reference.
// `npm run demo`, or `node examples/demo.js PICTURE...` for pictures of your own (one digit each, PNG or JPEG).
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';
import { imageFeed, InferenceSession, listDevices, loadModel, Tensor } from '../dist/index.js';

const MODEL = fileURLToPath(new URL('models/digits.onnx', import.meta.url));
const IMAGES = new URL('images/', import.meta.url);
/** A device may differ from the reference by rounding only. */
const TOLERANCE = 1e-4;
const TIMED_RUNS = 5;

const given = process.argv.slice(2);
const pictures =
  given.length > 0
    ? given
    : readdirSync(IMAGES)
        .filter((name) => /\.(png|jpe?g)$/.test(name))
        .sort()
        .map((name) => fileURLToPath(new URL(name, IMAGES)));
/** What a picture of examples/images shows: its name ends in the digit. */
const truth = given.length > 0 ? pictures.map(() => undefined) : pictures.map((path) => Number(/(\d)\.\w+$/.exec(path)?.[1]));

const model = loadModel(MODEL);
const feeds = pictures.map((path) => {
  const { data, shape } = imageFeed(model.graph, 'image', readFileSync(path));
  return { image: new Tensor('float32', data, shape) };
});

/** Answers for every picture on one device, and how long a run takes, milliseconds. */
async function readOn(device) {
  const session = await InferenceSession.create(MODEL, { executionProviders: [device] });
  try {
    const start = performance.now();
    const answers = [];
    for (const feed of feeds) {
      const { probabilities } = await session.run(feed);
      const digit = probabilities.data.indexOf(Math.max(...probabilities.data));
      answers.push({ digit, confidence: probabilities.data[digit], probabilities: probabilities.data });
    }
    const first = performance.now() - start;
    const times = [];
    for (let run = 0; run < TIMED_RUNS; run++) {
      const begin = performance.now();
      for (const feed of feeds) await session.run(feed);
      times.push((performance.now() - begin) / feeds.length);
    }
    return { device, answers, first, millis: times.sort((a, b) => a - b)[TIMED_RUNS >> 1] };
  } finally {
    await session.release();
  }
}

function table(header, rows) {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (cells) => `  ${cells.map((cell, i) => cell.padEnd(widths[i])).join('   ')}`.trimEnd();
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}

const paint = (format, text) => (process.stdout.isTTY ? styleText(format, text) : text);
const millis = (value) => `${value.toFixed(value < 1 ? 3 : 1)} ms`;

const found = await listDevices();
// The reference first: the others are held to it.
const usable = found.filter(({ availability }) => availability.ok).sort((a, b) => Number(b.name === 'reference') - Number(a.name === 'reference'));
const results = [];
for (const { name } of usable) results.push(await readOn(name));
const [reference] = results;

console.log(`\n${basename(MODEL)} reads ${pictures.length} pictures on ${usable.map(({ name }) => name).join(', ')}\n`);
console.log(
  table(
    ['picture', ...usable.map(({ name }) => name)],
    pictures.map((path, i) => [
      basename(path),
      ...results.map(({ answers }) => {
        const { digit, confidence } = answers[i];
        const mark = truth[i] === undefined || truth[i] === digit ? '' : ` (shows ${truth[i]})`;
        return `${digit}  ${(100 * confidence).toFixed(1).padStart(5)} %${mark}`;
      }),
    ]),
  ),
);

const difference = ({ answers }) =>
  Math.max(...answers.flatMap(({ probabilities }, i) => Array.from(probabilities, (value, k) => Math.abs(value - reference.answers[i].probabilities[k]))));
const rows = results.map((result) => {
  const digits = result.answers.map(({ digit }) => digit).join('');
  const right = result.answers.filter(({ digit }, i) => digit === truth[i]).length;
  return [
    result.device,
    given.length > 0 ? digits : `${digits}  ${right} of ${pictures.length} right`,
    result === reference ? '–' : difference(result).toExponential(1),
    millis(result.millis),
    millis(result.first),
  ];
});
console.log(`\n${table(['device', 'answer', 'largest difference from the reference', 'time a picture', 'all, first time'], rows)}\n`);
for (const { name, availability } of found) if (!availability.ok) console.log(`  ${name} is left out: ${availability.reason}. ${availability.hint}`);

const astray = results.filter((result) => !(difference(result) <= TOLERANCE)).map(({ device }) => device);
if (astray.length > 0) {
  console.log(paint('red', `  ${astray.join(', ')} differs from the reference by more than ${TOLERANCE}`));
  process.exitCode = 1;
}
