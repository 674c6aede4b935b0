// Writes the pages of docs/ that are made from code.
import { mkdirSync, writeFileSync } from 'node:fs';
import { operatorTable } from '../src/inspect/operatorTable.ts';

mkdirSync('docs', { recursive: true });
writeFileSync('docs/operators.md', operatorTable());
