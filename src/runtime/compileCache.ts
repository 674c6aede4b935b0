// What compilers made, kept on disk by the hash of all it was made from. Entries are written beside their place and renamed, and carry a
// checksum, so that half-written or damaged ones count as missing and two processes may write at once. The least recently used go first.
// A cache that cannot be read or written is no error: everything is then compiled again. It must not know what the bytes are.
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { trace } from '../core/trace.ts';

const CHECKSUM_BYTES = 32;
const ENTRY_SUFFIX = '.entry';
/** Bytes of all entries together, unless ANYCHIP_CACHE_BYTES says otherwise. */
const DEFAULT_LIMIT_BYTES = 1 << 30;
/** Files of writers that died are removed when this old. */
const ABANDONED_MILLIS = 3_600_000;

const checksumOf = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** A name for everything in `parts`, in order; parts cannot run into each other. */
export function contentKey(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    hash.update(`${typeof part === 'string' ? Buffer.byteLength(part) : part.byteLength}:`);
    hash.update(part);
  }
  return hash.digest('hex').slice(0, 40);
}

/** ANYCHIP_CACHE, or `anychip` in the user's cache folder (XDG Base Directory Specification). */
export function defaultCacheFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const own = environment['ANYCHIP_CACHE'];
  if (own !== undefined && own !== '') return own;
  const shared = environment['XDG_CACHE_HOME'];
  return join(shared !== undefined && shared.startsWith('/') ? shared : join(homedir(), '.cache'), 'anychip');
}

/** Removes a file; where that is not possible it stays. */
export function removeIfThere(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Its folder may be no folder at all, or one that may only be read.
  }
}

export class CompileCache {
  readonly folder: string;
  readonly #limitBytes: number;

  constructor(folder = defaultCacheFolder(), limitBytes = Number(process.env['ANYCHIP_CACHE_BYTES'] ?? DEFAULT_LIMIT_BYTES)) {
    this.folder = folder;
    this.#limitBytes = limitBytes;
  }

  #path(key: string): string {
    return join(this.folder, `${key}${ENTRY_SUFFIX}`);
  }

  /** The bytes under `key`, or undefined if there are none that are whole. */
  get(key: string): Uint8Array | undefined {
    const path = this.#path(key);
    let file: Buffer;
    try {
      file = readFileSync(path);
    } catch {
      return undefined;
    }
    const bytes = file.subarray(CHECKSUM_BYTES);
    if (file.length < CHECKSUM_BYTES || !checksumOf(bytes).equals(file.subarray(0, CHECKSUM_BYTES))) {
      trace(1, () => ({ kind: 'cache', message: 'a damaged entry is made again', facts: { path } }));
      return undefined;
    }
    try {
      const now = new Date();
      utimesSync(path, now, now);
    } catch {
      // A cache that may only be read still serves.
    }
    return bytes;
  }

  put(key: string, bytes: Uint8Array): void {
    const temporary = join(this.folder, `${randomBytes(8).toString('hex')}.tmp`);
    try {
      mkdirSync(this.folder, { recursive: true });
      writeFileSync(temporary, Buffer.concat([checksumOf(bytes), bytes]));
      renameSync(temporary, this.#path(key));
      this.#evict(key);
    } catch (error) {
      removeIfThere(temporary);
      trace(1, () => ({ kind: 'cache', message: `the cache cannot be written: ${error instanceof Error ? error.message : String(error)}`, facts: { folder: this.folder } }));
    }
  }

  /** Removes the entries not used for longest until all fit; `kept` stays. */
  #evict(kept: string): void {
    const now = Date.now();
    const entries = readdirSync(this.folder).flatMap((name) => {
      const path = join(this.folder, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat === undefined) return [];
      if (name.endsWith('.tmp') && now - stat.mtimeMs > ABANDONED_MILLIS) removeIfThere(path);
      return name.endsWith(ENTRY_SUFFIX) ? [{ path, bytes: stat.size, used: stat.mtimeMs }] : [];
    });
    let total = entries.reduce((sum, e) => sum + e.bytes, 0);
    for (const entry of entries.sort((a, b) => a.used - b.used)) {
      if (total <= this.#limitBytes) break;
      if (entry.path === this.#path(kept)) continue;
      removeIfThere(entry.path);
      total -= entry.bytes;
    }
  }
}
