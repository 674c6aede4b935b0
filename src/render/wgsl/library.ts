// The helper functions that a module takes along: those it asks for, and those that they call.
import { AnychipError } from '../../core/error.ts';
import { doubles } from './doubles.ts';
import { integers } from './integers.ts';

const words: Readonly<Record<string, string>> = {
  // Calls are not folded: what a constant expression may not be (an overflow, no number), the result of a call may.
  kept_f32: '(a: u32) -> f32 { return bitcast<f32>(a); }',
  kept_i32: '(a: i32) -> i32 { return a; }',
  kept_u32: '(a: u32) -> u32 { return a; }',
  // Told from the bits: a compiler may take it for granted that x equals x.
  nan_f32: '(a: f32) -> bool { return (bitcast<u32>(a) & 0x7fffffffu) > 0x7f800000u; }',
  min_f32: '(a: f32, b: f32) -> f32 { return select(b, a, a < b); }',
  max_f32: '(a: f32, b: f32) -> f32 { return select(b, a, a > b); }',
};
const functions: Readonly<Record<string, string>> = { ...words, ...integers, ...doubles };

export class Library {
  readonly #texts = new Map<string, string>();

  /** Asks for a function of the library; its name. */
  use(name: string): string {
    const text = functions[name];
    if (text === undefined) throw new AnychipError('internal', `WGSL has no function ${name} here`);
    if (!this.#texts.has(name)) this.define(name, text);
    return name;
  }

  /** Adds a function under its name, with all that it calls. */
  define(name: string, text: string): string {
    if (this.#texts.has(name)) return name;
    this.#texts.set(name, `fn ${name}${text}\n`);
    for (const [, called] of text.matchAll(/\b(\w+)\(/g)) if (called !== undefined && called in functions) this.use(called);
    return name;
  }

  get text(): string {
    return [...this.#texts.values()].join('');
  }
}
