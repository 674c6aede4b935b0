// Declarations of the reduce family.

export const reduceOps = {} as const;
