// Integers: in order, and what divides them.

/** 0, 1, … up to n, without n. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The largest number that divides both: |a| where b is 0. */
export const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));
/** The least number that both positive numbers divide. */
export const lcm = (a: number, b: number): number => (a / gcd(a, b)) * b;
