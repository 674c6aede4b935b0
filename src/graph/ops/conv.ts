// Declarations of the conv family.

export const convOps = {} as const;
