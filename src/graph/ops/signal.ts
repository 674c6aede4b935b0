// Declarations of the signal family.

export const signalOps = {} as const;
