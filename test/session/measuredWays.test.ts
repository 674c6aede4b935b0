// What is measured on a machine is taken there again, and nowhere else; and whichever way is taken, the result is the same.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createBuilder } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { CompileCache } from '../../src/runtime/compileCache.ts';
import type { Question } from '../../src/schedule/decide.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { MeasuredWays } from '../../src/session/measuredWays.ts';
import { createSimtCapabilities, expectClose, interpretSchedule } from '../kernel/machine.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'anychip-test-'))));
afterAll(() => rmSync(folder, { recursive: true }));

it('is remembered for the machine, as long as it is still a way', () => {
  const question: Question = { key: 'tiles of 8 by 8', ways: ['large', 'small'] };
  const on = (machine: string): MeasuredWays => new MeasuredWays([machine], new CompileCache(folder));
  expect(on('here').decide(question)).toBe(0);
  on('here').remember(question, 'small');
  expect(on('here').decide(question)).toBe(1);
  expect(on('here').decide({ ...question, key: 'tiles of 9 by 9' })).toBe(0);
  expect(on('here').decide({ ...question, ways: ['large', 'other'] })).toBe(0);
  expect(on('elsewhere').decide(question)).toBe(0);
});

it('makes other kernels of the same result', () => {
  const b = createBuilder(createFolder());
  const inputs = [b.input({ dtype: 'f32', shape: [20, 300] }, 'x'), b.input({ dtype: 'f32', shape: [300, 24] }, 'y')];
  const graph = b.finish('product', inputs, [b.matmul(inputs[0]!, inputs[1]!)]);
  const values = inputs.map((x, i) => randomTensor(createRandom(i), 'f32', x.shape));
  const [expected] = interpretPrims(graph, values);
  const asked: Question[] = [];
  const bodies = [0, 3, 7].map((way) => {
    const schedule = scheduleGraph(graph, createSimtCapabilities({ units: 8 }), [], (question) => {
      asked.push(question);
      return way;
    });
    expectClose(interpretSchedule(graph, schedule, values)[0]!, expected!, `way ${way}`, 1e-3);
    expect(schedule.report.every((call) => call.question === asked[0]!.key)).toBe(true);
    return JSON.stringify(schedule.module.kernels);
  });
  expect(new Set(bodies).size).toBe(3);
  expect(asked[0]!.ways).toHaveLength(8);
  expect(new Set(asked.map(({ key }) => key)).size).toBe(1);
});
