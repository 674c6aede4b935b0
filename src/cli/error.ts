// `anychip error`: what a number or name that a vendor's driver or library answered means, and what to do.
import { Command } from 'commander';
import { AnychipError } from '../core/error.ts';
import { findReported } from '../session/vendorErrors.ts';
import { options } from './options.ts';
import { printJson } from './print.ts';

export const explainError = new Command('error')
  .description('what an error of a vendor’s runtime means, and what to do')
  .argument('<code>', 'its number, code or name: 507013, -714, EJ0003, CUDA_ERROR_LAUNCH_FAILED')
  .addOption(options.json)
  .action((code: string, { json }: { readonly json?: boolean }) => {
    const found = findReported(code);
    if (found.length === 0)
      throw new AnychipError('bad-argument', `no runtime is known to answer ${code}`, { hint: 'Look into the vendor’s manual; a number of another vendor may look the same.' });
    if (json === true) return printJson({ errors: found });
    for (const { runtime, name, meaning, cause, remedy } of found) process.stdout.write(`${runtime}, ${name}: ${meaning}.\n  ${cause}\n  ${remedy}\n`);
  });
