// Where the package's own files lie, run from its source or as it was built: bundled code lies in a folder directly below dist, as this file
// lies below src (scripts/bundle.ts).
const KIND = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

/** Run from source: other processes and threads need a loader for what is started there. */
export const isSource = KIND === '.ts';

/** A file of code by its path below src, without the ending: one that the build makes a file of its own. */
export const codeFile = (path: string): URL => new URL(`../${path}${KIND}`, import.meta.url);

/** A file that is no code, or a folder, by its path in the package. */
export const packageFile = (path: string): URL => new URL(`../../${path}`, import.meta.url);
