// Programs of this machine: where they are, and what they say.
import { execFile } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const TIMEOUT_MILLIS = 120_000;

export interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

/** Runs a command, a program and the arguments that come first, with more arguments. Never rejects. */
export function execute(command: readonly string[], args: readonly string[], folder?: string): Promise<Outcome> {
  const [program = '', ...first] = command;
  return new Promise((resolve) => {
    execFile(program, [...first, ...args], { cwd: folder, timeout: TIMEOUT_MILLIS, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
      resolve({ ok: error === null, output: `${stdout}${stderr}`.trim() || (error?.message ?? '') }),
    );
  });
}

/** Where the shell would find the program; undefined if nowhere. */
export function locate(program: string): string | undefined {
  const folders = program.includes('/') ? [''] : (process.env['PATH'] ?? '').split(delimiter);
  for (const folder of folders) {
    const path = folder === '' ? program : join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return realpathSync(path);
    } catch {
      continue;
    }
  }
  return undefined;
}

/** What of a compiler's output an error quotes. */
export const firstLines = (text: string): string => text.split('\n').slice(0, 4).join(' ').slice(0, 600) || 'it said nothing';
