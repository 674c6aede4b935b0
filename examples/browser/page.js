// The page: what is chosen, what is shown. Models run in runner.js, on another thread; here is no arithmetic but that of showing answers.

const MODEL = 'digits.onnx';
const PICTURES = ['hand', 'print'].flatMap((kind) => Array.from({ length: 10 }, (_, digit) => `${kind}-${digit}`));
/** As they lie in examples/images. */
const JPEGS = new Set(['hand-0', 'hand-2', 'hand-4', 'hand-5', 'hand-7', 'hand-9', 'print-1', 'print-3', 'print-5', 'print-7']);
const REFERENCE = 'reference';
/** A device may differ from the reference by this share of the output's largest number. */
const TOLERANCE = 1e-3;
/** Numbers of an output that are shown as bars. */
const MOST_BARS = 10;

const byId = (id) => document.getElementById(id);
const [problem, answer, rows, runButton, stopButton] = ['problem', 'answer', 'rows', 'run', 'stop'].map(byId);

const state = {
  /** Name, and the bytes or their address. */
  model: { name: MODEL, isOurs: true, source: `models/${MODEL}` },
  picture: { name: '', source: '', shown: '' },
  devices: [],
  /** What each device answered, by its name. */
  outcomes: new Map(),
  running: false,
};

/** An element with a class and children: texts are never read as HTML. */
function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.append(...children);
  return made;
}

const millis = (value) => (value < 10 ? `${value.toFixed(2)} ms` : value < 1000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(1)} s`);

function showProblem(message, hint) {
  problem.hidden = message === undefined;
  if (message !== undefined) problem.replaceChildren(message, ...(hint === undefined ? [] : [element('small', '', hint)]));
}

// ── the thread that runs ──

let runner;
function startRunner() {
  runner?.terminate();
  runner = new Worker('runner.js', { type: 'module' });
  runner.addEventListener('message', ({ data }) => events[data.kind](data));
  runner.addEventListener('error', (event) => {
    event.preventDefault();
    setRunning(false);
    showProblem('The script that runs models cannot be loaded.', `Is the bundle built (npm run build:web)? ${event.message ?? ''}`);
  });
}

const events = {
  devices({ devices }) {
    state.devices = devices;
    showDevices();
    setRunning(false);
  },
  started: ({ device }) => setOutcome(device, { status: 'running' }),
  ran: ({ device, ...outcome }) => setOutcome(device, { status: 'ran', ...outcome }),
  failed: ({ device, message, hint }) => setOutcome(device, { status: 'failed', message, hint }),
  refused: ({ message, hint }) => showProblem(message, hint),
  ended: () => setRunning(false),
};

function setOutcome(device, outcome) {
  state.outcomes.set(device, outcome);
  showResults();
}

function setRunning(running) {
  state.running = running;
  runButton.disabled = running || state.devices.length === 0;
  runButton.textContent = running ? 'Running…' : 'Run';
  stopButton.hidden = !running;
  document.body.dataset.state = running ? 'running' : 'ready';
}

async function bytesOf(source) {
  const response = source instanceof Blob ? new Response(source) : await fetch(source);
  if (!response.ok) throw new Error(`${source}: ${response.status} ${response.statusText}`);
  return response;
}

async function run() {
  const devices = [...document.querySelectorAll('.device input:checked')].map(({ value }) => value);
  showProblem();
  state.outcomes = new Map();
  if (devices.length === 0) return showProblem('No device is chosen.', 'Tick at least one.');
  for (const device of devices) state.outcomes.set(device, { status: 'waiting' });
  showResults();
  setRunning(true);
  try {
    const [bytes, picture] = await Promise.all([bytesOf(state.model.source).then((r) => r.arrayBuffer()), bytesOf(state.picture.source).then((r) => r.blob())]);
    runner.postMessage({ kind: 'run', bytes, picture, devices });
  } catch (error) {
    setRunning(false);
    showProblem(`A file cannot be read: ${error.message}`, 'Choose it again.');
  }
  return undefined;
}

function stop() {
  for (const [device, { status }] of state.outcomes) if (status === 'waiting' || status === 'running') state.outcomes.set(device, { status: 'stopped' });
  startRunner();
  setRunning(false);
  showResults();
}

// ── choices ──

function choosePicture(name, source) {
  if (state.picture.shown.startsWith('blob:')) URL.revokeObjectURL(state.picture.shown);
  state.picture = { name, source, shown: source instanceof Blob ? URL.createObjectURL(source) : source };
  for (const button of byId('pictures').children) button.setAttribute('aria-checked', String(button.dataset.source === source));
  byId('picture-name').textContent = source instanceof Blob ? name : 'One of these, or';
  clearResults();
}

function chooseModel(file) {
  state.model = { name: file.name, isOurs: false, source: file };
  byId('model-name').textContent = file.name;
  byId('model-note').textContent = 'A model with one input, an image. Its file stays on this machine.';
  clearResults();
}

function clearResults() {
  state.outcomes = new Map();
  showProblem();
  showResults();
}

function showPictures() {
  const buttons = PICTURES.map((name) => {
    const source = `images/${name}.${JPEGS.has(name) ? 'jpg' : 'png'}`;
    const image = element('img', '');
    Object.assign(image, { src: source, alt: name.replace('-', ', digit '), loading: 'lazy' });
    const button = element('button', '', image);
    Object.assign(button, { type: 'button', title: name });
    button.dataset.source = source;
    button.setAttribute('role', 'radio');
    button.addEventListener('click', () => choosePicture(name, source));
    return button;
  });
  byId('pictures').replaceChildren(...buttons);
  choosePicture('hand-7', 'images/hand-7.jpg');
}

function showDevices() {
  const lines = state.devices.map(({ name, availability }) => {
    const box = Object.assign(element('input', ''), { type: 'checkbox', value: name, checked: availability.ok, disabled: !availability.ok });
    const said = availability.ok ? availability.detail : `not here: ${availability.reason}. ${availability.hint}`;
    return element('label', availability.ok ? 'device' : 'device absent', box, element('strong', '', name), element('span', 'note', said));
  });
  byId('devices').replaceChildren(...lines);
}

// ── results ──

const magnitude = (data) => data.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);

/** The largest difference of any output's numbers, and whether all lie within the tolerance. */
function compare(outputs, expected) {
  let [largest, agrees] = [0, true];
  expected.forEach(({ data, dims }, i) => {
    const given = outputs[i];
    if (given === undefined || String(given.dims) !== String(dims)) return void ([largest, agrees] = [Infinity, false]);
    const bound = TOLERANCE * magnitude(data);
    data.forEach((x, k) => {
      const difference = Object.is(x, given.data[k]) ? 0 : Math.abs(x - given.data[k]);
      if (!(difference <= bound)) agrees = false;
      if (!(difference <= largest)) largest = difference;
    });
    return undefined;
  });
  return { largest, agrees };
}

const isScores = ({ dims, data }) => data.length > 1 && data.length <= 100_000 && dims.at(-1) === data.length;
const isShares = (data) => data.every((x) => x >= 0 && x <= 1.0001) && Math.abs(data.reduce((a, b) => a + b, 0) - 1) < 1e-3;
const number = (x) => (Number.isInteger(x) ? String(x) : x.toPrecision(4));
const shape = ({ type, dims }) => `${type} [${dims.join(', ')}]`;
const best = (data) => data.reduce((at, x, i) => (x > data[at] ? i : at), 0);

/** An answer in one line: the likeliest class where the output is a list of scores, else what the output is. */
function spoken(outputs) {
  const [output] = outputs;
  if (output === undefined) return 'nothing';
  const more = outputs.length > 1 ? ` and ${outputs.length - 1} more` : '';
  if (!isScores(output)) return `${output.name}: ${shape(output)}${more}`;
  const top = best(output.data);
  const score = output.data[top];
  return `${state.model.isOurs ? '' : 'class '}${top}, ${isShares(output.data) ? `${(100 * score).toFixed(1)} %` : number(score)}${more}`;
}

function bars({ data }) {
  const shares = isShares(data);
  const order = data.length <= MOST_BARS ? [...data.keys()] : [...data.keys()].sort((a, b) => data[b] - data[a]).slice(0, MOST_BARS);
  const low = Math.min(0, ...order.map((i) => data[i]));
  const span = Math.max(...order.map((i) => data[i])) - low || 1;
  const top = best(data);
  const cells = order.flatMap((i) => {
    const bar = element('i', '');
    bar.style.width = `${(100 * (data[i] - low)) / (shares ? 1 : span)}%`;
    const mark = i === top ? 'first' : '';
    return [element('span', mark, String(i)), bar, element('span', mark, shares ? `${(100 * data[i]).toFixed(1)} %` : number(data[i]))];
  });
  return element('div', 'bars', ...cells);
}

const summary = (output) => element('p', '', `${output.name}: ${shape(output)}, from ${number(Math.min(...sample(output.data)))} to ${number(Math.max(...sample(output.data)))}`);
/** Few enough to be arguments of a call. */
const sample = (data) => data.slice(0, 50_000);

function showAnswer(ran) {
  const shown = Object.assign(element('img', 'shown'), {
    src: state.picture.shown,
    alt: 'the picture',
  });
  if (ran === undefined) {
    const waiting = [...state.outcomes.values()].some(({ status }) => status === 'running');
    answer.replaceChildren(shown, element('p', 'note', waiting ? 'Compiling and running…' : 'Press Run.'));
    return;
  }
  const [device, { outputs }] = ran;
  const [output] = outputs;
  const title = element('p', 'top', output !== undefined && isScores(output) ? spoken(outputs) : `${outputs.length} ${outputs.length === 1 ? 'output' : 'outputs'}`);
  const body = output !== undefined && isScores(output) ? [bars(output)] : outputs.slice(0, 6).map(summary);
  answer.replaceChildren(shown, element('div', '', title, ...body, element('p', 'note', `as ${device} answered`)));
}

const words = { waiting: 'waiting', running: 'compiling and running…', stopped: 'stopped' };

function differenceCell(device, outcome, expected) {
  if (device === REFERENCE) return element('td', 'number', 'the definition');
  if (expected === undefined) {
    const pending = ['waiting', 'running'].includes(state.outcomes.get(REFERENCE)?.status);
    return element('td', 'number', pending ? '…' : '–');
  }
  const { largest, agrees } = compare(outcome.outputs, expected);
  return element('td', `number ${agrees ? 'good' : 'bad'}`, largest === 0 ? 'none' : largest.toExponential(1), ...(agrees ? [] : [element('small', 'bad', 'differs')]));
}

function row(device, outcome, expected) {
  const name = element('th', '', device);
  name.scope = 'row';
  if (outcome.status === 'ran') {
    const { placement, runs } = outcome;
    const where = placement.host === 0 ? [] : [element('small', '', `${placement.host} of ${placement.host + placement.device} nodes ran on the host`)];
    const next = outcome.millis === undefined ? '–' : millis(outcome.millis);
    return element(
      'tr',
      '',
      name,
      element('td', '', spoken(outcome.outputs), ...where),
      element('td', 'number', millis(outcome.firstMillis)),
      element('td', 'number', next, element('small', '', `${runs} ${runs === 1 ? 'run' : 'runs'}`)),
      differenceCell(device, outcome, expected),
    );
  }
  const text = outcome.status === 'failed' ? element('td', 'bad', outcome.message, element('small', '', outcome.hint ?? '')) : element('td', 'note', words[outcome.status]);
  text.colSpan = 4;
  return element('tr', '', name, text);
}

function showResults() {
  const ran = [...state.outcomes].filter(([, { status }]) => status === 'ran');
  const expected = ran.find(([device]) => device === REFERENCE)?.[1].outputs;
  showAnswer(ran[0]);
  rows.replaceChildren(...[...state.outcomes].map(([device, outcome]) => row(device, outcome, expected)));
}

function showSurroundings() {
  const threads = crossOriginIsolated
    ? `This page is cross-origin isolated, so wasm may use all ${navigator.hardwareConcurrency} threads.`
    : 'This page is not cross-origin isolated (headers COOP and COEP), so wasm keeps to one thread.';
  byId('surroundings').textContent = `${threads} ${isSecureContext ? '' : 'WebGPU needs https or localhost. '}`;
}

runButton.addEventListener('click', () => void run());
stopButton.addEventListener('click', stop);
byId('model').addEventListener('change', ({ target }) => target.files[0] !== undefined && chooseModel(target.files[0]));
byId('picture').addEventListener('change', ({ target }) => target.files[0] !== undefined && choosePicture(target.files[0].name, target.files[0]));

showPictures();
showSurroundings();
startRunner();
runner.postMessage({ kind: 'devices' });
