// The package in few files. For browsers: modules in one file each, with nothing of Node in them; whoever needs WebAssembly's threads bundles
// their worker too. For Node: what is imported when it is wanted (`import()`) is a file of its own, and so is what entries have in common,
// so that a program that loads the package reads few files, and of those only what it comes to need.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const source = fileURLToPath(new URL('../src', import.meta.url));

/** The script of worker threads, under the name by which the package asks for it. */
export const worker = { browserWorker: join(source, 'targets/wasm/browserWorker.ts') };

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

/** Faces of the package under Node, and what it starts as processes and threads of their own. */
const ENTRIES = ['index', 'target', 'cli/main', 'conformance/worker', 'targets/wasm/nodeWorker', 'virtualAtc'];
/** Directly below the folder: where core/packageFiles.ts expects to be. */
const CHUNKS = 'chunks';

/** Packages that stay imports: users hold tensors of one, others have native parts, or are the command line's alone. Small ones become part of the bundle. */
const SHARED = ['onnxruntime-common', 'koffi', 'webgpu', 'commander'];

/** Bundles the package for Node into a folder called dist. Its build.txt is a digest of the code, by which what it compiled is told from what another build did. */
export async function bundleForNode(dist: string): Promise<void> {
  const { metafile } = await build({
    entryPoints: ENTRIES.map((entry) => join(source, `${entry}.ts`)),
    outdir: dist,
    outbase: source,
    chunkNames: `${CHUNKS}/[name]-[hash]`,
    absWorkingDir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: SHARED,
    // Without what only its other face for Node needs.
    alias: { fflate: 'fflate/browser' },
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'linked',
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
  });
  const files = Object.keys(metafile.outputs)
    .filter((path) => path.endsWith('.js'))
    .sort();
  const home = relative(dist, join(source, 'core/packageFiles.ts'));
  const astray = files.find((path) => home in metafile.outputs[path]!.inputs && !path.startsWith(`${CHUNKS}/`));
  if (astray !== undefined) throw new Error(`${astray} holds core/packageFiles.ts, which would look for the package's files in the wrong place`);
  const hash = createHash('sha256');
  for (const path of files) hash.update(`${path}\n`).update(readFileSync(join(dist, path)));
  writeFileSync(join(dist, 'build.txt'), `${hash.digest('hex')}\n`);
}
