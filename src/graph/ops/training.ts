// Declarations of the training family.

export const trainingOps = {} as const;
