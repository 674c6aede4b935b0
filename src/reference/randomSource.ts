// Seeded random numbers for random operators: the same session seed gives the same stream on every machine.
// Generator: mulberry32 (public domain design, 32 bits of state), enough for sampling, not for cryptography.

export function createRandom(sessionSeed: number): (seed?: number) => () => number {
  let streams = 0;
  return (seed) => mulberry32(seed === undefined ? mix(sessionSeed, ++streams) : mix(Math.trunc(seed * 1e6), 0));
}

const mix = (a: number, b: number): number => (Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(b + 1, 0xc2b2ae35)) | 0;

/** Uniform in [0, 1). */
function mulberry32(state: number): () => number {
  let s = state;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
