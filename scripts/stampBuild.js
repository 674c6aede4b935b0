// dist/build.txt: a digest of the code that was built, by which what it compiled is told from what another build did.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const hash = createHash('sha256');
for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' }).sort()) {
  if (name.endsWith('.js') && !name.startsWith('web')) hash.update(`${name}\n`).update(readFileSync(join(dist, name)));
}
writeFileSync(join(dist, 'build.txt'), `${hash.digest('hex')}\n`);
