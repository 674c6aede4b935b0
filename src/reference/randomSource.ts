// Seeded random numbers for random operators: the same seed gives the same stream on every machine.
// Generator: MT19937 (Matsumoto & Nishimura, "Mersenne Twister", ACM TOMACS 8, 1998) with 53-bit results, so that a model's integer seed
// gives the numbers that NumPy, and with it ONNX's own test data, has for it.

const STATE = 624;
const SHIFT = 397;

/** Session and model seeds are whole streams apart; a model's own seed ignores the session's. */
export function createRandom(sessionSeed: number): (seed?: number) => () => number {
  let streams = 0;
  return (seed) => mersenneTwister(seed === undefined ? mix(sessionSeed, ++streams) : Number.isInteger(seed) ? seed : bitsOf(seed));
}

const mix = (a: number, b: number): number => (Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(b + 1, 0xc2b2ae35)) | 0;
const bitsOf = (x: number): number => new Uint32Array(Float32Array.of(x).buffer)[0]!;

/** Uniform in [0, 1). */
function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(STATE);
  state[0] = seed;
  for (let i = 1; i < STATE; i++) {
    const before = state[i - 1]!;
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
  }
  let next = STATE;
  const refill = (): void => {
    for (let i = 0; i < STATE; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % STATE]! & 0x7fffffff);
      state[i] = state[(i + SHIFT) % STATE]! ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : 0x9908b0df);
    }
    next = 0;
  };
  const draw = (): number => {
    if (next === STATE) refill();
    let y = state[next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  return () => ((draw() >>> 5) * 67108864 + (draw() >>> 6)) / 9007199254740992;
}
