// The whole test run: format, lint, types, build, vitest, then ONNX's own suite on every device. Says what it leaves out and why.
// The last line reads `N passed, N failed, N skipped`. With ANYCHIP_TEST_ALL=1 leaving something out is a failure, unless the chip is missing.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const total = { passed: 0, failed: 0, skipped: 0 };
const leftOut = [];
/** Left out because the machine has no such chip: nothing that could be installed would change it. */
const absent = [];
const bin = (name) => join('node_modules', '.bin', name);

/** No step may take longer; what does is ended, and has failed. */
const STEP_MILLIS = (process.argv.includes('--conformance') ? 120 : 30) * 60_000;

function step(name, command, args, options = {}) {
  const start = performance.now();
  process.stdout.write(`\n── ${name}\n`);
  const done = spawnSync(command, args, { stdio: 'inherit', timeout: STEP_MILLIS, killSignal: 'SIGKILL', ...options });
  const ending = done.error !== undefined ? `, ${done.error.message}` : done.signal !== null ? `, ended by ${done.signal}` : '';
  process.stdout.write(`── ${name}: ${((performance.now() - start) / 1000).toFixed(1)} s${ending}\n`);
  return done;
}

function check(name, command, args) {
  const ok = step(name, command, args).status === 0;
  total[ok ? 'passed' : 'failed']++;
  if (!ok) process.stdout.write(`FAILED ${name}\n`);
  return ok;
}

function unitTests() {
  const file = join(tmpdir(), `anychip-vitest-${process.pid}.json`);
  const { status } = step('unit tests', bin('vitest'), ['run', '--reporter=dot', '--reporter=json', `--outputFile.json=${file}`]);
  const report = existsSync(file) ? parse(readFileSync(file, 'utf8')) : undefined;
  rmSync(file, { force: true });
  if (report === undefined) {
    total.failed++;
    return process.stdout.write('FAILED unit tests: no report\n');
  }
  // A file that does not load has no tests of its own that could fail.
  const unloaded = report.testResults.filter((result) => result.status === 'failed' && result.assertionResults.length === 0).length;
  const failed = report.numFailedTests + unloaded;
  total.passed += report.numPassedTests;
  // Errors outside of tests fail the run without failing a test.
  total.failed += failed === 0 && status !== 0 ? 1 : failed;
  total.skipped += report.numPendingTests + report.numTodoTests;
}

const suites = ['/usr/share/libonnx-testdata/data', '/usr/local/share/libonnx-testdata/data'];

/** Folder of ONNX's suite; installs Debian's package where that is possible. */
function findSuite() {
  const found = () => suites.find((folder) => existsSync(folder));
  if (found() === undefined && process.getuid?.() === 0 && spawnSync('apt-get', ['--version']).status === 0) {
    step('install libonnx-testdata', 'sh', ['-c', 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libonnx-testdata']);
  }
  return found();
}

/** Cases that are known not to pass, with the reason, by device ('*': every one). */
const known = JSON.parse(readFileSync(new URL('../test/conformance/known.json', import.meta.url), 'utf8'));

/** `--conformance`: nothing but ONNX's suite, every case on every device (npm run conformance:full). */
const isFull = process.argv.includes('--conformance');

/** Devices whose compiler takes so long that only every n-th case is run; virtual chips that share all but names with another, fewer. */
const everyNth = {
  opencl: 3,
  webgpu: 3,
  'cuda:virtual': 3,
  'ascend:virtual': 3,
  'cambricon:virtual': 3,
  'ascend:om:virtual': 30,
  'biren:virtual': 30,
  'hip:virtual': 30,
  'kunlun:virtual': 30,
  'metax:virtual': 30,
  'musa:virtual': 30,
};

/** Graphs and kernels are verified on the way. */
function conformance(suite, device) {
  const every = isFull ? 1 : (everyNth[device] ?? 1);
  const { stdout } = step(`conformance of ${device}`, process.execPath, ['dist/cli/main.js', 'conformance', suite, '--device', device, '--every', String(every), '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ANYCHIP_DEBUG: '1' },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const report = parse(stdout);
  if (report === undefined) {
    total.failed++;
    return process.stdout.write(`FAILED conformance of ${device}: no report\n`);
  }
  const expected = { ...known['*'], ...known[device] };
  const unexpected = report.failures.filter(({ name }) => !(name in expected));
  const mended = every > 1 ? [] : Object.keys(expected).filter((name) => !report.failures.some((failure) => failure.name === name));
  for (const { name, code, message } of unexpected) process.stdout.write(`FAILED ${device} ${name} [${code}] ${message}\n`);
  for (const name of mended) process.stdout.write(`FAILED ${device} ${name} passes now: strike it from test/conformance/known.json\n`);
  process.stdout.write(
    `${device}: ${report.passed} of ${report.total}, ${report.onDevice} wholly on the device, ${report.failures.length - unexpected.length} known not to pass\n`,
  );
  total.passed += report.passed - mended.length;
  total.failed += unexpected.length + mended.length;
  total.skipped += report.skipped + report.failures.length - unexpected.length;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

if (!isFull) {
  check('format', bin('oxfmt'), ['--check']);
  check('lint', bin('oxlint'), []);
  check('types', bin('tsc'), ['-p', 'tsconfig.json', '--noEmit']);
}
if (check('build', 'npm', ['run', 'build', '--silent'])) {
  if (!isFull) unitTests();
  const suite = findSuite();
  const devices = parse(spawnSync(process.execPath, ['dist/cli/main.js', 'devices', '--json'], { encoding: 'utf8' }).stdout)?.devices ?? [];
  if (suite === undefined) leftOut.push("ONNX's suite: the Debian package libonnx-testdata is not installed");
  for (const { name, availability } of devices) {
    if (!availability.ok) (availability.needs === 'hardware' ? absent : leftOut).push(`device ${name}: ${availability.reason}`);
    else if (suite !== undefined) conformance(suite, name);
  }
}

for (const reason of absent) process.stdout.write(`NOT HERE ${reason}\n`);
total.skipped += absent.length;
for (const reason of leftOut) process.stdout.write(`LEFT OUT ${reason}\n`);
if (process.env.ANYCHIP_TEST_ALL === '1') total.failed += leftOut.length;
else total.skipped += leftOut.length;
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
process.exitCode = total.failed > 0 ? 1 : 0;
