// The command line as a function: names, options and exit codes of every command. What a command does is in its own file.
import { Command, CommanderError } from 'commander';
import { onTrace } from '../core/trace.ts';
import { version } from './version.ts';
import { bench } from './bench.ts';
import { build } from './build.ts';
import { conformance } from './conformance.ts';
import { devices } from './devices.ts';
import { explainError } from './error.ts';
import { explainModel } from './explain.ts';
import { describeError, endProgress, exitCodes, note, printJson, progress } from './print.ts';
import { run } from './run.ts';

const program = new Command('anychip')
  .description('One model, any AI chip.')
  .version(version)
  .configureHelp({ showGlobalOptions: true })
  .showSuggestionAfterError()
  .addCommand(devices)
  .addCommand(run)
  .addCommand(conformance)
  .addCommand(bench)
  .addCommand(build)
  .addCommand(explainModel)
  .addCommand(explainError);
// Errors of usage are reported like all others.
for (const command of [program, ...program.commands]) command.exitOverride().configureOutput({ outputError: () => undefined });

/** Ends of commander's own that need no message. */
const SAID_IT_ALL: ReadonlySet<string> = new Set(['commander.version', 'commander.help', 'commander.helpDisplayed']);

/** Runs the command that `args` (without node and script) name; a failure sets the exit code of the process and never throws. */
export async function runCommand(args: readonly string[]): Promise<void> {
  const stop = onTrace((event) => {
    if (event.kind === 'progress') progress(event.message);
  }, 2);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    endProgress();
    process.exitCode = error instanceof CommanderError && SAID_IT_ALL.has(error.code) ? exitOf(error) : report(error, args.includes('--json'));
  } finally {
    stop();
  }
}

/** Help that was asked for is a success, help in place of a missing command is not. */
function exitOf(shown: CommanderError): number {
  return shown.exitCode === 0 ? 0 : exitCodes.error;
}

function report(error: unknown, asJson: boolean): number {
  const described = describeError(error);
  if (asJson) printJson({ error: described });
  note(`anychip: ${described.message} [${described.code}]`);
  if (described.hint !== undefined) note(`  ${described.hint}`);
  if (described.code === 'internal' && Number(process.env['ANYCHIP_DEBUG'] ?? 0) > 0 && error instanceof Error) note(error.stack ?? '');
  return exitCodes.error;
}
