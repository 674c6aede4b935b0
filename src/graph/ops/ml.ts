// Declarations of the ml family.

export const mlOps = {} as const;
