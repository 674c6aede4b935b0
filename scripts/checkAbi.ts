// Compares what anychip takes a vendor's headers to say with headers that are here: npm run check:abi -- --headers DIR [--target cuda].
// DIR may be given several times. Nothing of the headers is kept.
import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import { claimsOf, complaintsIn, probeText } from '../src/driver/abi.ts';
import type { AbiPart, Claim } from '../src/driver/abi.ts';
import type { DriverTable } from '../src/driver/table.ts';
import { abis } from '../src/targets/abis.ts';

interface Answers {
  readonly headers: readonly string[];
  readonly target?: string;
  readonly compiler: string;
}

/** What a C++ compiler says of a text; undefined where a header of the part is not there. */
function ask({ headers, compiler }: Answers, part: AbiPart, claims: readonly Claim[], what: 'holds' | 'shows'): ReadonlyMap<Claim, string> | string {
  const { text, firstLine } = probeText(part, claims, what);
  const args = ['-std=c++17', '-fsyntax-only', '-fmax-errors=0', '-w', ...headers.map((folder) => `-I${folder}`), '-x', 'c++', '-'];
  const done = spawnSync(compiler, args, { input: text, encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, LC_ALL: 'C' } });
  if (done.error !== undefined) return `${compiler} does not start: ${done.error.message}`;
  const missing = /fatal error: (.*)/.exec(done.stderr)?.[1];
  return missing ?? complaintsIn(done.stderr, claims, firstLine);
}

/** What the header has, from how the compiler complained about a type that shows it. */
function shown(complaint: string | undefined): string {
  const found = /(?:Shown|Counted)<(.*)> shown_/.exec(complaint ?? '')?.[1];
  return found === undefined ? 'the headers have no such thing' : `the headers have ${found}`;
}

/** Prints what differs; the number of differences. */
function check(name: string, table: DriverTable, part: AbiPart, answers: Answers): number {
  const claims = claimsOf(part, table);
  const wrong = ask(answers, part, claims, 'holds');
  const title = `${name}: ${part.headers.join(', ')}`;
  if (typeof wrong === 'string') {
    process.stdout.write(`${title}: left out, ${wrong}\n`);
    return 0;
  }
  process.stdout.write(`${title}: ${claims.length - wrong.size} of ${claims.length} as expected\n`);
  const differing = [...wrong.keys()];
  const instead = ask(answers, part, differing, 'shows');
  for (const claim of differing) process.stdout.write(`  ${claim.what}: ${typeof instead === 'string' ? instead : shown(instead.get(claim))}\n`);
  return wrong.size;
}

const program = new Command('check:abi')
  .requiredOption('--headers <folder>', "folder of the vendor's headers, as for -I", (folder: string, before: readonly string[]) => [...before, folder], [] as readonly string[])
  .option('--target <name>', 'only this target')
  .option('--compiler <command>', 'the C++ compiler', 'c++')
  .parse();
const answers = program.opts<Answers>();
const chosen = Object.entries(abis).filter(([name]) => answers.target === undefined || name === answers.target);
if (chosen.length === 0) program.error(`there is no target '${answers.target}' with headers; there are: ${Object.keys(abis).join(', ')}`);
const differences = chosen.reduce((sum, [name, { table, parts }]) => parts.reduce((inner, part) => inner + check(name, table, part, answers), sum), 0);
process.exitCode = differences > 0 ? 1 : 0;
