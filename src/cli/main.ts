#!/usr/bin/env node
// The program `anychip`: the command line on this process.
import { exitCodes } from './print.ts';
import { runCommand } from './program.ts';

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : exitCodes.error));

await runCommand(process.argv.slice(2));
