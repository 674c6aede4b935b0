// Reference of the signal family.
import type { signalOps } from '../graph/ops/signal.ts';
import type { Evaluations } from './evaluate.ts';

export const signalEvaluations: Evaluations<keyof typeof signalOps> = {};
