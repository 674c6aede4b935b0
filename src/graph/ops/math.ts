// Declarations of the math family.

export const mathOps = {} as const;
