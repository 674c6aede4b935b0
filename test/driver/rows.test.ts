// Every row of the driver table: spelled without a slip that types do not see, and errors that say something.
import { describe, expect, it } from 'vitest';
import { abis } from '../../src/targets/abis.ts';
import { findReported } from '../../src/targets/reported.ts';
import { createTargets } from '../../src/targets/targets.ts';

describe.each(Object.entries(abis))('the row of %s', (name, { table, parts }) => {
  it('calls functions of one vendor, each in one way once', () => {
    const spellings = Object.values(table.calls);
    expect(new Set(spellings.map((spelling) => JSON.stringify(spelling))).size).toBe(spellings.length);
    expect(new Set(spellings.map(({ symbol }) => symbol.slice(0, 2))).size).toBe(1);
  });

  it('gives every call that makes something a place to put it', () => {
    const makers = [table.calls.allocate, table.calls.createStream, ...(table.record === undefined ? [table.calls.loadModule, table.calls.findKernel] : [])];
    for (const { args } of makers) expect(args).toContain('out');
    for (const call of ['copyIn', 'copyOut', 'copy'] as const) expect(table.calls[call].args).toEqual(expect.arrayContaining(['to', 'from', 'bytes']));
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

describe('a number that a runtime answered', () => {
  it.each([
    ['507013', ['ACL_ERROR_RT_SYS_DMA']],
    ['561103', ['ACLNN_ERR_INNER_NULLPTR']],
    ['EJ0003', ['EJ0003']],
    ['-714', ['CUDA_ERROR_HARDWARE_STACK_ERROR', 'XPUERR_KEXCEPTION', 'mcErrorHardwareStackError', 'MUSA_ERROR_HARDWARE_STACK_ERROR']],
    ['cnrtErrorNoMem', ['cnrtErrorNoMem']],
    ['12345678', []],
  ])('%s is said in words, once for each runtime that has it', (code, names) => expect(findReported(code).map(({ name }) => name)).toEqual(names));
});
