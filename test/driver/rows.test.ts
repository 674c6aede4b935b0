// Every row of the driver table: spelled without a slip that types do not see, and errors that say something.
import { describe, expect, it } from 'vitest';
import { abis } from '../../src/targets/abis.ts';
import { createTargets } from '../../src/targets/targets.ts';

describe.each(Object.entries(abis))('the row of %s', (name, { table, parts }) => {
  it('calls functions of one vendor, each once', () => {
    const symbols = Object.values(table.calls).map(({ symbol }) => symbol);
    expect(new Set(symbols).size).toBe(symbols.length);
    expect(new Set(symbols.map((symbol) => /^[a-z]+/.exec(symbol)?.[0])).size).toBe(1);
  });

  it('gives every call that makes something a place to put it', () => {
    for (const call of ['allocate', 'loadModule', 'findKernel', 'createStream'] as const) expect(table.calls[call].args).toContain('out');
    for (const call of ['copyIn', 'copyOut', 'copy'] as const) expect(table.calls[call].args).toEqual(expect.arrayContaining(['to', 'from', 'bytes', 'stream']));
  });

  it('has errors in words', () => {
    const errors = Object.values(table.errors);
    expect(new Set(errors.map((error) => error.name)).size).toBe(errors.length);
    for (const { meaning, cause, remedy } of errors) {
      expect(meaning).toMatch(/^[a-z]/);
      for (const sentence of [cause, remedy]) expect(sentence).toMatch(/^[A-Z].*\.$/);
    }
    for (const status of table.noDevice) expect(Object.keys(table.errors)).toContain(String(status));
    expect(errors.map(({ fault }) => fault)).toEqual(expect.arrayContaining(['memory', 'launch', 'lost']));
  });

  it('names the headers it can be held to, and is a target', () => {
    expect(parts.map(({ declares }) => declares)).toContain('driver');
    expect(createTargets().map((target) => target.name)).toContain(name);
  });
});
