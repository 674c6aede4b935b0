// Pictures of glyphs under hard conditions: turned, sheared, stretched, bent, with thick and thin pens, on uneven grounds, blurred and noisy.
import type { Glyph, Stroke } from './glyphs.ts';

/** Pictures are SIZE × SIZE, grey, 0 (black) to 1. */
export const SIZE = 32;

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32). */
export function createUniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Uniform = () => number;
const between = (uniform: Uniform, low: number, high: number): number => low + (high - low) * uniform();
/** About normal, of unit variance. */
const normal = (uniform: Uniform): number => (uniform() + uniform() + uniform() + uniform() - 2) * Math.sqrt(3);

/** A smooth random field over [0, 1]², about ±1. */
function field(uniform: Uniform): (x: number, y: number) => number {
  const waves = Array.from({ length: 3 }, () => [normal(uniform) * 3, normal(uniform) * 3, uniform() * 7] as const);
  return (x, y) => waves.reduce((sum, [a, b, phase]) => sum + Math.sin(a * x + b * y + phase), 0) / 2;
}

/** From the box of a glyph to pixels. */
function placement(uniform: Uniform): (x: number, y: number) => readonly [number, number] {
  const height = between(uniform, 0.5, 0.94) * SIZE;
  const width = Math.min(height * between(uniform, 0.5, 1.05), SIZE * 0.92);
  const angle = normal(uniform) * 0.13;
  const shear = normal(uniform) * 0.16;
  const bend = Math.max(0, normal(uniform)) * 0.03;
  const [bendX, bendY] = [field(uniform), field(uniform)];
  const slack = Math.max(0, SIZE - height) / 2;
  const center = [SIZE / 2 + between(uniform, -1, 1) * Math.max(0, SIZE - width) * 0.36, SIZE / 2 + between(uniform, -1, 1) * slack * 0.8] as const;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return (x, y) => {
    const v = (y - 0.5 + bend * bendY(x, y)) * height;
    const u = (x - 0.5 + bend * bendX(x, y)) * width - shear * v;
    return [center[0] + cos * u - sin * v, center[1] + sin * u + cos * v];
  };
}

/** Darkens `ink` where a pen of radius `radius` passes; pens may be wider across than down, as in print. */
function draw(ink: Float32Array, strokes: readonly Stroke[], radius: number, stretch: number): void {
  for (const stroke of strokes) {
    for (let s = 1; s < stroke.length; s++) {
      const [x0, y0] = stroke[s - 1]!;
      const [x1, y1] = stroke[s]!;
      const [dx, dy] = [(x1 - x0) / stretch, y1 - y0];
      const length2 = dx * dx + dy * dy || 1e-9;
      const reach = [radius * stretch + 1, radius + 1] as const;
      const [left, right] = [Math.max(0, Math.floor(Math.min(x0, x1) - reach[0])), Math.min(SIZE - 1, Math.ceil(Math.max(x0, x1) + reach[0]))];
      const [top, bottom] = [Math.max(0, Math.floor(Math.min(y0, y1) - reach[1])), Math.min(SIZE - 1, Math.ceil(Math.max(y0, y1) + reach[1]))];
      for (let y = top; y <= bottom; y++) {
        for (let x = left; x <= right; x++) {
          const [px, py] = [(x + 0.5 - x0) / stretch, y + 0.5 - y0];
          const t = Math.min(1, Math.max(0, (px * dx + py * dy) / length2));
          const distance = Math.hypot(px - t * dx, py - t * dy);
          const cover = Math.min(1, Math.max(0, radius - distance + 0.5));
          if (cover > ink[y * SIZE + x]!) ink[y * SIZE + x] = cover;
        }
      }
    }
  }
}

/** A cross of weights, applied in place. */
function blur(picture: Float32Array, weight: number): void {
  const from = picture.slice();
  const at = (x: number, y: number): number => from[Math.min(SIZE - 1, Math.max(0, y)) * SIZE + Math.min(SIZE - 1, Math.max(0, x))]!;
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const around = (at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1)) / 4;
      picture[y * SIZE + x] = from[y * SIZE + x]! * (1 - weight) + around * weight;
    }
  }
}

/** One picture of `glyph`, written to `picture`. */
export function render(glyph: Glyph, uniform: Uniform, picture: Float32Array): void {
  const place = placement(uniform);
  const strokes = glyph.map((stroke) => stroke.map(([x, y]) => place(x + normal(uniform) * 0.008, y + normal(uniform) * 0.008)));
  const ink = new Float32Array(SIZE * SIZE);
  draw(ink, strokes, between(uniform, 0.6, 3.1), uniform() < 0.6 ? 1 : between(uniform, 0.6, 1.9));
  const ground = uniform();
  const contrast = between(uniform, 0.25, 1);
  const lighter = ground + contrast > 1 || (ground - contrast >= 0 && uniform() < 0.5) ? -1 : 1;
  const colour = Math.min(1, Math.max(0, ground + lighter * contrast));
  const unevenness = uniform() < 0.5 ? 0 : uniform() * 0.25 * Math.abs(colour - ground);
  const shade = field(uniform);
  const noise = uniform() < 0.3 ? 0 : uniform() * 0.16 * Math.abs(colour - ground);
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const cover = ink[y * SIZE + x]!;
      picture[y * SIZE + x] = ground + (colour - ground) * cover + unevenness * shade(x / SIZE, y / SIZE) + noise * normal(uniform);
    }
  }
  for (let pass = Math.floor(uniform() * 3); pass > 0; pass--) blur(picture, between(uniform, 0.1, 0.8));
}
