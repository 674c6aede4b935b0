// Declarations of the sequence family.

export const sequenceOps = {} as const;
