// dist: the package for Node. Of an earlier build nothing stays but what browsers are given.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleForNode } from './bundle.ts';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
mkdirSync(dist, { recursive: true });
for (const name of readdirSync(dist)) if (name !== 'web') rmSync(join(dist, name), { recursive: true });
await bundleForNode(dist);
