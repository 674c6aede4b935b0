// Integers and what divides them.

/** The largest number that divides both: |a| where b is 0. */
export const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));
/** The least number that both positive numbers divide. */
export const lcm = (a: number, b: number): number => (a / gcd(a, b)) * b;
