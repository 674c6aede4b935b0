// Declarations of the random family.

export const randomOps = {} as const;
