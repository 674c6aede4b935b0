// What a verifier found, as an error. Verifying takes time, so outside of tests it is done where ANYCHIP_DEBUG asks for it.
import { AnychipError } from './error.ts';
import { debugLevel } from './trace.ts';

/** Throws if `problems` is not empty: a bug here, never the user's. */
export function assertNone(what: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new AnychipError('internal', `${what}:\n  ${problems.join('\n  ')}`, {
    hint: 'This is a bug in anychip; please report it with the model.',
    facts: { problems },
  });
}

/** Verifies where ANYCHIP_DEBUG is 1 or more. */
export function verifyIfDebugging(what: string, find: () => readonly string[]): void {
  if (debugLevel >= 1) assertNone(what, find());
}
