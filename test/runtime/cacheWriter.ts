// A process that writes and reads a compile cache as fast as it can, with a limit so small that entries come and go. Ends with 1 if it
// reads what nobody wrote under that key.
import { CompileCache } from '../../src/runtime/compileCache.ts';

const cache = new CompileCache(process.argv[2]!, 20_000);
const contentOf = (key: number): Uint8Array => new Uint8Array(1000 + key * 300).fill(key);
for (let i = 0; i < 150; i++) {
  const key = (i * 7 + process.pid) % 20;
  const kept = cache.get(String(key));
  if (kept !== undefined && !Buffer.from(contentOf(key)).equals(kept)) process.exit(1);
  cache.put(String(key), contentOf(key));
}
