// Serves the page: `npm run demo:web`, or `npx tsx examples/browser/serve.ts [PORT]` after `npm run build:web`.
import { folders } from './folders.ts';
import { createStaticServer, listen } from './server.ts';

const DEFAULT_PORT = 8080;
const isTaken = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';

/** On the default port any other will do where somebody else has it. */
async function start(asked: string | undefined): Promise<string> {
  const server = createStaticServer(folders);
  try {
    return await listen(server, Number(asked ?? DEFAULT_PORT));
  } catch (error) {
    if (asked === undefined && isTaken(error)) return listen(server);
    throw error;
  }
}

const [asked] = process.argv.slice(2);
try {
  if (asked !== undefined && !/^\d{1,5}$/.test(asked)) throw new TypeError('give a number from 1 to 65535');
  console.log(`\n  anychip in the browser: ${await start(asked)}\n  Ctrl+C ends it.\n`);
} catch (error) {
  console.error(`cannot serve on port ${asked ?? DEFAULT_PORT}: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
