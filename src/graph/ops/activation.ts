// Declarations of the activation family.

export const activationOps = {} as const;
