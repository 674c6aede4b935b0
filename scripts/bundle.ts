// Scripts for browsers: modules in one file each, with nothing of Node in them. Whoever needs WebAssembly's threads bundles their worker too.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The script of worker threads, under the name by which the package asks for it. */
export const worker = { browserWorker: fileURLToPath(new URL('../src/targets/wasm/browserWorker.ts', import.meta.url)) };

/**
 * Bundles `entries`, files by the names of what they become, into a folder. An import that only Node could answer is an error; packages in
 * `elsewhere` stay imports, of these addresses.
 */
export async function bundle(entries: Readonly<Record<string, string>>, folder: string, elsewhere: Readonly<Record<string, string>> = {}): Promise<void> {
  await build({
    entryPoints: { ...entries },
    outdir: folder,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    alias: { ...elsewhere },
    external: Object.values(elsewhere),
    target: 'es2022',
    minify: true,
    legalComments: 'linked',
    logLevel: 'warning',
  });
}
