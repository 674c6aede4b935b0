// Declarations of the string family.

export const stringOps = {} as const;
