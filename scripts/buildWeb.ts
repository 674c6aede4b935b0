// dist/web: the package for browsers in one file, and the script of its worker threads. Prints their sizes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { bundle, worker } from './bundle.ts';

const folder = fileURLToPath(new URL('../dist/web', import.meta.url));
const kib = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;

await bundle({ anychip: fileURLToPath(new URL('../src/web.ts', import.meta.url)), ...worker }, folder);
for (const name of ['anychip.js', 'browserWorker.js']) {
  const bytes = readFileSync(join(folder, name));
  console.log(`dist/web/${name}: ${kib(bytes.length)}, ${kib(gzipSync(bytes, { level: 9 }).length)} gzipped`);
}
