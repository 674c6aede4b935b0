// Which of several targets a name or `auto` means.
import { expect, it } from 'vitest';
import type { Availability, Target } from '../../src/runtime/device.ts';
import { chooseAmong } from '../../src/session/choose.ts';
import { createOpenClTarget } from '../../src/targets/opencl/target.ts';

const named = (name: string, rank: number, availability: Availability, probed: string[] = []): Target => ({
  ...createOpenClTarget(),
  capabilities: createOpenClTarget().capabilities,
  name,
  rank,
  probe: () => {
    probed.push(name);
    return Promise.resolve(availability);
  },
});
const missing: Availability = { ok: false, needs: 'hardware', reason: 'it is not here', hint: 'Plug it in.' };

it('auto takes the best machine that was found, not the best kind of machine', async () => {
  const probed: string[] = [];
  const targets = [
    named('absent', 200, missing, probed),
    named('either', 110, { ok: true, detail: 'a slow one', rank: 60 }, probed),
    named('sure', 100, { ok: true, detail: 'as always' }, probed),
    named('last', 50, { ok: true, detail: 'never asked' }, probed),
  ];
  const choice = await chooseAmong(targets, ['auto']);
  expect(choice).toMatchObject({ name: 'sure', why: 'the fastest that works: as always (not absent: it is not here)' });
  expect(probed).toEqual(['absent', 'either', 'sure']);
  expect(await chooseAmong([named('either', 110, { ok: true, detail: 'a fast one' }), ...targets], ['auto'])).toMatchObject({ name: 'either' });
});

it('a name that was asked for is taken whatever its rank', async () => {
  const targets = [named('sure', 100, { ok: true, detail: '' }), named('either', 110, { ok: true, detail: '', rank: 60 })];
  expect(await chooseAmong(targets, ['either', 'sure'])).toMatchObject({ name: 'either', why: 'asked for' });
});
