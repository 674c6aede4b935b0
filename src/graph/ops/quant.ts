// Declarations of the quant family.

export const quantOps = {} as const;
