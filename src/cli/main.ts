#!/usr/bin/env node
// The command line: names, options and exit codes of every command. What a command does is in its own file.
import { Command, CommanderError } from 'commander';
import { version } from './version.ts';
import { bench } from './bench.ts';
import { conformance } from './conformance.ts';
import { devices } from './devices.ts';
import { explainModel } from './explain.ts';
import { describeError, endProgress, exitCodes, note, printJson } from './print.ts';
import { run } from './run.ts';

const program = new Command('anychip')
  .description('One model, any AI chip.')
  .version(version)
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .showSuggestionAfterError()
  .addCommand(devices)
  .addCommand(run)
  .addCommand(conformance)
  .addCommand(bench)
  .addCommand(explainModel);
for (const command of program.commands) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  endProgress();
  process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : exitCodes.error) : report(error);
}

function report(error: unknown): number {
  const described = describeError(error);
  if (process.argv.includes('--json')) printJson({ error: described });
  note(`anychip: ${described.message} [${described.code}]`);
  if (described.hint !== undefined) note(`  ${described.hint}`);
  if (described.code === 'internal' && Number(process.env['ANYCHIP_DEBUG'] ?? 0) > 0 && error instanceof Error) note(error.stack ?? '');
  return exitCodes.error;
}
