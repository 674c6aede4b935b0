// Switching costs the user one word: the program of examples/oneWord.js, as a process of its own on every device that is here, virtual chips
// among them, prints the same lines with the same answers.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { listDevices } from '../../src/session/devices.ts';

const examples = new URL('../../examples/', import.meta.url);
const program = readFileSync(new URL('oneWord.js', examples), 'utf8').replace('../dist/index.js', new URL('../../src/index.ts', import.meta.url).href);
const args = ['models/digits.onnx', 'images/hand-7.jpg'].map((path) => fileURLToPath(new URL(path, examples)));
const folder = mkdtempSync(join(tmpdir(), 'anychip-word-'));
afterAll(() => rmSync(folder, { recursive: true }));

const STANDARD = 'reference';
/** Outputs are probabilities. */
const TOLERANCE = 1e-5;

const programFor = (device: string): string => program.replace("'cpu'", `'${device}'`);
const wordsOf = (text: string): string[] => text.split(/\s+/);

/** What the program prints on a device. */
function linesOn(device: string): Promise<string[]> {
  const path = join(folder, `${device.replaceAll(/\W/g, '-')}.mjs`);
  writeFileSync(path, programFor(device));
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['--import', 'tsx', path, ...args], { env: { ...process.env, ANYCHIP_DEBUG: '0' } }, (error, stdout, stderr) =>
      error === null && stderr === '' ? resolve(stdout.trimEnd().split('\n')) : reject(new Error(`${device}: ${stderr}`, { cause: error })),
    );
  });
}

/** A line word by word: numbers may differ by rounding, all else is the same. */
const partsOf = (line: string) => {
  const words = wordsOf(line);
  const isNumber = (word: string): boolean => Number.isFinite(Number(word));
  return { text: words.map((word) => (isNumber(word) ? '#' : word)).join(' '), numbers: words.filter(isNumber).map(Number) };
};

const found = (await listDevices()).filter(({ availability }) => availability.ok).map(({ name }) => name);
const standard = (await linesOn(STANDARD)).map(partsOf);

it('the program says what it reads', () => {
  expect(standard).toEqual([{ text: expect.stringMatching(/^probabilities float32 \[1, 10\], largest at 7: #( #){9}$/), numbers: expect.any(Array) }]);
  expect(found.length).toBeGreaterThan(2);
});

it.each(found.filter((device) => device !== STANDARD))(
  'one word makes it run on %s',
  async (device) => {
    const [before, after] = [wordsOf(programFor(STANDARD)), wordsOf(programFor(device))];
    expect(after.filter((word, i) => word !== before[i])).toEqual([`'${device}';`]);
    const lines = (await linesOn(device)).map(partsOf);
    expect(lines.map(({ text }) => text)).toEqual(standard.map(({ text }) => text));
    for (const [i, { numbers }] of lines.entries()) {
      numbers.forEach((x, j) => expect(Math.abs(x - standard[i]!.numbers[j]!), `${device}, line ${i + 1}, number ${j + 1}`).toBeLessThanOrEqual(TOLERANCE));
    }
  },
  120_000,
);
