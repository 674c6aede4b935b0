// A slice of the fuzzer, the same models in every run. The long run is `npm run fuzz`.
import { expect, test } from 'vitest';
import { SUITE, fuzz } from './fuzz.ts';

const COUNT = 600;

test(`${COUNT} damaged models run or are refused`, { timeout: 240_000 }, async () => {
  const results = await fuzz({ count: COUNT, seed: 1, device: 'cpu', deviceShare: 0.15, folders: [SUITE] });
  expect(results).toHaveLength(COUNT);
  const failures = results.flatMap(({ id, seedModel, device, outcome }) => (outcome.kind === 'failed' ? [`${id} ${seedModel} on ${device}: ${outcome.what}`] : []));
  expect(failures).toEqual([]);
  // Mutants that nobody accepts test only the parser.
  expect(results.filter(({ outcome }) => outcome.kind === 'ran').length).toBeGreaterThan(COUNT / 10);
});
