// Numbers to and from text, as Cast does it: the shortest text that gives the same number back in its own precision.
import { AnychipError } from '../core/error.ts';
import { roundToFloat } from '../core/float.ts';
import type { DType } from '../core/dtype.ts';

/** Plain notation for exponents from −5 to 15, scientific beyond, as NumPy writes scalars. */
export function textOfFloat(value: number, dtype: DType): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [digits, exponent] = shortest(value, dtype).split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 16) return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  const sign = value < 0 ? '-' : '';
  const all = digits!.replace(/[-.]/g, '');
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${all}`;
  const whole = all.slice(0, power + 1).padEnd(power + 1, '0');
  return `${sign}${whole}.${all.slice(power + 1) || '0'}`;
}

function shortest(value: number, dtype: DType): string {
  for (let digits = 0; digits < 17; digits++) {
    const text = value.toExponential(digits);
    if (roundToFloat(dtype, Number(text)) === value) return text;
  }
  return value.toExponential();
}

const words: Readonly<Record<string, number>> = { inf: Infinity, '+inf': Infinity, infinity: Infinity, '-inf': -Infinity, '-infinity': -Infinity, nan: NaN };

export function floatOfText(text: string): number {
  const trimmed = text.trim();
  const word = words[trimmed.toLowerCase()];
  const value = word ?? (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : undefined);
  if (value === undefined) throw new AnychipError('run', `${JSON.stringify(text)} is not a number`, { hint: 'Cast from string wants decimal numbers, inf or nan.' });
  return value;
}

export function integerOfText(text: string): bigint {
  const trimmed = text.trim();
  return /^[+-]?\d+$/.test(trimmed) ? BigInt(trimmed.replace(/^\+/, '')) : BigInt(Math.trunc(floatOfText(trimmed)));
}
