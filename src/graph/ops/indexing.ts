// Declarations of the indexing family.

export const indexingOps = {} as const;
