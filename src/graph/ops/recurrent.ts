// Declarations of the recurrent family.

export const recurrentOps = {} as const;
