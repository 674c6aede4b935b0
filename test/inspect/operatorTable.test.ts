// docs/operators.md is what the declarations say.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { controlOps } from '../../src/graph/ops/control.ts';
import { isOnnxOp, onnxOps, schemaOf } from '../../src/graph/ops.ts';
import { operatorTable } from '../../src/inspect/operatorTable.ts';
import { lowerings } from '../../src/passes/lowerings.ts';

it('docs/operators.md is up to date (npm run docs)', () => {
  expect(readFileSync(new URL('../../docs/operators.md', import.meta.url), 'utf8')).toBe(operatorTable());
});

it('an operator without a decomposition says why', () => {
  const hosted = Object.keys(onnxOps).filter(isOnnxOp).filter((op) => lowerings[op] === 'host' && !Object.hasOwn(controlOps, op)); // prettier-ignore
  expect(hosted.filter((op) => schemaOf(op).hostOnly === undefined)).toEqual([]);
});
