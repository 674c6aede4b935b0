// The thread that runs models, so that the page never waits: it is told what to run and says what came of it. Takes devices one after the
// other, and asks nothing about them but their names.
import { AnychipError, imageFeed, InferenceSession, listDevices, loadModel, Tensor } from './anychip/anychip.js';

/** Runs after the first: at most so many, and for so long. */
const MOST_RUNS = 20;
const MOST_MILLIS = 1500;

const typeNames = { f32: 'float32', f16: 'float16', u8: 'uint8', i8: 'int8', i32: 'int32', u16: 'uint16', i16: 'int16' };

const inWords = (error) => ({ message: error instanceof Error ? error.message : String(error), hint: error instanceof AnychipError ? error.hint : undefined });

/** Pixels of what our own decoders do not read (WebP, AVIF, …) but the browser does. */
async function pixelsByBrowser(file) {
  const bitmap = await createImageBitmap(file);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

async function feedFor(model, name, picture) {
  const bytes = new Uint8Array(await picture.arrayBuffer());
  try {
    return imageFeed(model.graph, name, bytes);
  } catch (error) {
    if (!['bad-file', 'unsupported'].includes(error.code)) throw error;
    const pixels = await pixelsByBrowser(picture).catch(() => undefined);
    if (pixels === undefined) throw error;
    return imageFeed(model.graph, name, pixels);
  }
}

/** The model's inputs with the picture in the one that they have. */
async function feedsFor(bytes, picture) {
  const model = await loadModel(bytes);
  const names = model.graph.inputs.filter((value) => !model.graph.constants.has(value)).map((value) => value.name);
  if (names.length !== 1) {
    throw new AnychipError('bad-argument', `this page feeds one picture, and the model has ${names.length} inputs: ${names.join(', ')}`, {
      hint: 'Choose a model with one input, an image.',
    });
  }
  const { dtype, shape, data } = await feedFor(model, names[0], picture);
  if (typeNames[dtype] === undefined)
    throw new AnychipError('unsupported', `the input '${names[0]}' is ${dtype}`, { hint: 'Choose a model whose image is made of floats or bytes.' });
  return { [names[0]]: new Tensor(typeNames[dtype], data, shape) };
}

const plain = (outputs) => Object.entries(outputs).map(([name, { type, dims, data }]) => ({ name, type, dims, data: Array.from(data, Number) }));

async function runOn(device, bytes, feeds) {
  const start = performance.now();
  const session = await InferenceSession.create(bytes, { executionProviders: [device] });
  try {
    const outputs = await session.run(feeds);
    const first = performance.now();
    const times = [];
    for (let from = first; times.length < MOST_RUNS && performance.now() - first < MOST_MILLIS; from = performance.now()) {
      await session.run(feeds);
      times.push(performance.now() - from);
    }
    times.sort((a, b) => a - b);
    const { placement } = session;
    return { outputs: plain(outputs), firstMillis: first - start, millis: times[times.length >> 1], runs: times.length, placement, detail: session.device.detail };
  } finally {
    await session.release();
  }
}

async function run({ bytes, picture, devices }) {
  const feeds = await feedsFor(bytes, picture);
  for (const device of devices) {
    postMessage({ kind: 'started', device });
    try {
      postMessage({ kind: 'ran', device, ...(await runOn(device, bytes, feeds)) });
    } catch (error) {
      postMessage({ kind: 'failed', device, ...inWords(error) });
    }
  }
}

const orders = {
  devices: async () => postMessage({ kind: 'devices', devices: await listDevices() }),
  run: async (order) => {
    await run(order).catch((error) => postMessage({ kind: 'refused', ...inWords(error) }));
    postMessage({ kind: 'ended' });
  },
};

addEventListener('message', ({ data }) => void orders[data.kind](data));
