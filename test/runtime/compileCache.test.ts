// The compile cache: nothing but what was written whole ever comes out of it, whoever else writes, and its failures stay its own.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CompileCache, contentKey, defaultCacheFolder } from '../../src/runtime/compileCache.ts';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'anychip-cache-test-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const entries = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.entry'));

describe('CompileCache', () => {
  it('keeps bytes by key, in a folder it makes', () => {
    const cache = new CompileCache(join(folder, 'not', 'there', 'yet'));
    expect(cache.get('a')).toBeUndefined();
    cache.put('a', bytes('one'));
    cache.put('b', new Uint8Array(0));
    expect(new CompileCache(cache.folder).get('a')).toEqual(Buffer.from('one'));
    expect(cache.get('b')).toHaveLength(0);
  });

  it('takes damaged and half-written entries for missing, and writes them anew', () => {
    const cache = new CompileCache(folder);
    cache.put('a', bytes('a program'));
    const path = join(folder, entries()[0]!);
    const whole = readFileSync(path);
    for (const damage of [
      whole.subarray(0, 10),
      whole.subarray(0, whole.length - 1),
      Buffer.concat([whole, Buffer.from([0])]),
      Buffer.from(whole).fill(1, 40, 41),
      Buffer.alloc(0),
    ]) {
      writeFileSync(path, damage);
      expect(cache.get('a')).toBeUndefined();
    }
    cache.put('a', bytes('a program'));
    expect(cache.get('a')).toEqual(Buffer.from('a program'));
  });

  it('drops what was not used for longest, and what dead writers left', () => {
    const cache = new CompileCache(folder, 300);
    for (const [i, key] of ['a', 'b', 'c'].entries()) {
      cache.put(key, new Uint8Array(60));
      utimesSync(join(folder, `${key}.entry`), i, i);
    }
    writeFileSync(join(folder, 'dead.tmp'), 'x');
    utimesSync(join(folder, 'dead.tmp'), 1, 1);
    writeFileSync(join(folder, 'alive.tmp'), 'x');
    cache.get('a');
    cache.put('d', new Uint8Array(60));
    expect(readdirSync(folder).sort()).toEqual(['a.entry', 'alive.tmp', 'c.entry', 'd.entry']);
  });

  it('is no obstacle where it cannot be written', () => {
    writeFileSync(join(folder, 'file'), '');
    const cache = new CompileCache(join(folder, 'file', 'below'));
    cache.put('a', bytes('one'));
    expect(cache.get('a')).toBeUndefined();
  });

  it.skipIf(process.getuid?.() === 0)('is read where it may only be read', () => {
    new CompileCache(folder).put('a', bytes('one'));
    chmodSync(folder, 0o500);
    const cache = new CompileCache(folder);
    cache.put('b', bytes('two'));
    expect([cache.get('a'), cache.get('b')]).toEqual([Buffer.from('one'), undefined]);
    chmodSync(folder, 0o700);
  });

  it('may be written by several processes at once', async () => {
    mkdirSync(folder, { recursive: true });
    const writers = Array.from({ length: 3 }, () => fork(fileURLToPath(new URL('./cacheWriter.ts', import.meta.url)), [folder], { execArgv: ['--import', 'tsx'] }));
    const codes = await Promise.all(writers.map((writer) => new Promise((resolve) => writer.once('exit', resolve))));
    // A writer ends with 1 if it ever reads what nobody wrote.
    expect(codes).toEqual([0, 0, 0]);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(entries().length).toBeGreaterThan(0);
  });
});

describe('keys and folders', () => {
  it('tell parts apart', () => {
    expect(contentKey(['ab', 'c'])).not.toBe(contentKey(['a', 'bc']));
    expect(contentKey(['a', bytes('b')])).toBe(contentKey(['a', 'b']));
  });

  it('follow ANYCHIP_CACHE, then the user’s cache folder', () => {
    expect(defaultCacheFolder({ ANYCHIP_CACHE: '/x', XDG_CACHE_HOME: '/y' })).toBe('/x');
    expect(defaultCacheFolder({ ANYCHIP_CACHE: '', XDG_CACHE_HOME: '/y' })).toBe('/y/anychip');
    expect(defaultCacheFolder({ XDG_CACHE_HOME: 'relative' })).toMatch(/\.cache\/anychip$/);
  });
});
