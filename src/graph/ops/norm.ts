// Declarations of the norm family.

export const normOps = {} as const;
