// Declarations of the control family.

export const controlOps = {} as const;
