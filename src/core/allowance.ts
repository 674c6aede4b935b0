// What of exactness a user may give up for speed, by name. What a name means for a machine is said where schedules are made.

/** tf32: products of f32 on matrix units that read 10 of the 23 bits of its mantissa: an error of 2⁻¹⁰ of each factor at most, as where what is left is cut off. */
export const allowances = ['tf32'] as const;
export type Allowance = (typeof allowances)[number];
