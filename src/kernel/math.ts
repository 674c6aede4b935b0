// Mathematical functions as plain arithmetic of the kernel IR.
import type { BinaryFn, Kernel, UnaryFn } from './ir.ts';

const MATH_UNARY = ['exp', 'log', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'tanh', 'asinh', 'acosh', 'atanh', 'erf'] as const satisfies readonly UnaryFn[];
export type MathUnary = (typeof MATH_UNARY)[number];
export type MathBinary = Extract<BinaryFn, 'pow'>;
const mathUnary: ReadonlySet<UnaryFn> = new Set(MATH_UNARY);
export const isMathUnary = (fn: UnaryFn): fn is MathUnary => mathUnary.has(fn);
export const isMathBinary = (fn: BinaryFn): fn is MathBinary => fn === 'pow';
export const expandMath = (kernel: Kernel): Kernel => kernel;
