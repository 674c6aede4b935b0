// Declarations of the shape family.

export const shapeOps = {} as const;
