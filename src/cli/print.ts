// How the command line speaks: tables, units, progress on a terminal, errors. Results go to stdout, everything else to stderr.
import { CommanderError } from 'commander';
import { AnychipError } from '../core/error.ts';

/** Columns of the terminal that results go to; no bound where they go to a file or a pipe. */
const terminalWidth = (): number => (process.stdout.isTTY ? process.stdout.columns : Infinity);
const NARROWEST = 8;
const GAP = '  ';

/** Rows under a header, columns aligned, those named in `right` to the right. Where they are wider than `width`, the widest columns are cut. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], right: readonly string[] = [], width = terminalWidth()): string {
  const widths = header.map((title, i) => rows.reduce((most, row) => Math.max(most, (row[i] ?? '').length), title.length));
  let excess = widths.reduce((sum, w) => sum + w + GAP.length, -GAP.length) - width;
  while (excess > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= NARROWEST) break;
    widths[widest]!--;
    excess--;
  }
  // Names of nodes begin alike and differ at their ends: the middle goes.
  const fit = (cell: string, w: number): string => (cell.length > w ? `${cell.slice(0, Math.floor((w - 1) / 2))}…${cell.slice(cell.length - Math.ceil((w - 1) / 2))}` : cell);
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (right.includes(header[i]!) ? fit(cell, widths[i]!).padStart(widths[i]!) : fit(cell, widths[i]!).padEnd(widths[i]!)))
      .join(GAP)
      .trimEnd();
  return [line(header), line(widths.map((w) => '─'.repeat(w))), ...rows.map(line)].join('\n');
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}

export const formatMillis = (millis: number): string => (millis < 10 ? `${millis.toFixed(3)} ms` : millis < 10_000 ? `${millis.toFixed(1)} ms` : `${(millis / 1000).toFixed(1)} s`);
export const percent = (part: number, whole: number): string => (whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`);

export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const note = (text: string): void => void process.stderr.write(`${text}\n`);
export const printJson = (value: unknown): void => print(JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)));

/** One line that is written over, on a terminal only. */
export function progress(text: string): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\r\u001B[2K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
}
export function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001B[2K');
}

/** The exit code of a failed command. */
export const exitCodes = { mismatch: 1, error: 2 } as const;

/** What a user sees of an error: message, code, remedy; never a stack. */
export function describeError(error: unknown): { readonly code: string; readonly message: string; readonly hint?: string } {
  if (error instanceof AnychipError) return { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  if (error instanceof CommanderError) return { code: 'bad-argument', message: error.message.replace(/^error: /, ''), hint: 'See anychip --help, or --help of the command.' };
  return {
    code: 'internal',
    message: error instanceof Error ? error.message : String(error),
    hint: 'This is a bug in anychip; please report it with the model. ANYCHIP_DEBUG=1 shows where it happened.',
  };
}
