// How the command line speaks: tables, units, progress on a terminal, errors. Results go to stdout, everything else to stderr.
import { AnychipError } from '../core/error.ts';

/** Rows under a header, columns aligned; numbers look right-aligned when `right` names their column. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], right: readonly string[] = []): string {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (right.includes(header[i]!) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
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
  return {
    code: 'internal',
    message: error instanceof Error ? error.message : String(error),
    hint: 'This is a bug in anychip; please report it with the model. ANYCHIP_DEBUG=1 shows where it happened.',
  };
}
