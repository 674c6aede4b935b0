// Declarations of the vision family.

export const visionOps = {} as const;
