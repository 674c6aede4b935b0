// What people see: tables, units, errors.
import { describe, expect, it } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { describeError, formatBytes, formatMillis, percent, table } from '../../src/cli/print.ts';

describe('table', () => {
  const rows = [
    ['a', '1'],
    ['a long name of a node', '22'],
  ];

  it('aligns columns, numbers to the right, without trailing blanks', () => {
    expect(table(['name', 'n'], rows, ['n'], Infinity)).toBe('name                    n\n─────────────────────  ──\na                       1\na long name of a node  22');
    expect(table(['name', 'n'], rows, [], Infinity).split('\n')[0]).toBe('name                   n');
  });

  it('cuts the widest columns where the terminal is narrow', () => {
    const lines = table(['name', 'n'], rows, ['n'], 16).split('\n');
    expect(lines.every((line) => line.length <= 16)).toBe(true);
    expect(lines[3]).toBe('a lon…a node  22');
    expect(table(['name', 'n'], rows, ['n'], 1).split('\n')[3]).toBe('a l…node  22');
  });
});

it('formats units', () => {
  expect([0, 1023, 1024, 1536, 20 * 2 ** 20, 3 * 2 ** 40].map(formatBytes)).toEqual(['0 B', '1023 B', '1.00 KiB', '1.50 KiB', '20.0 MiB', '3.00 TiB']);
  expect([0.5, 12.34, 12345].map(formatMillis)).toEqual(['0.500 ms', '12.3 ms', '12.3 s']);
  expect([percent(1, 3), percent(1, 0)]).toEqual(['33.3 %', '–']);
});

it('describes errors by code, message and remedy, unknown ones as a bug', () => {
  expect(describeError(new AnychipError('limit', 'too much', { hint: 'Take less.', path: ['model', 'node'] }))).toEqual({
    code: 'limit',
    message: 'model → node: too much',
    hint: 'Take less.',
  });
  expect(describeError(new TypeError('x is not a function'))).toMatchObject({ code: 'internal', message: 'x is not a function' });
});
