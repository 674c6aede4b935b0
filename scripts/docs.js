// Writes the pages of docs/ that are made from code. Needs a build.
import { mkdirSync, writeFileSync } from 'node:fs';
import { operatorTable } from '../dist/inspect/operatorTable.js';

mkdirSync('docs', { recursive: true });
writeFileSync('docs/operators.md', operatorTable());
