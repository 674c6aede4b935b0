// Declarations of the matmul family.

export const matmulOps = {} as const;
