// Names that ONNX files use for domains and functions.
import { AnychipError } from '../../core/error.ts';
import type { OperatorSetIdProto } from './messages.ts';

/** 'ai.onnx' is another name of ''. */
export const domainOf = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

/** Opset by domain. Versions newer than what is known are taken: most operators stay as they are, and the others do not fit their declarations. */
export function opsetsOf(imports: readonly OperatorSetIdProto[]): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of imports) {
    if (version < 1n)
      throw new AnychipError('bad-model', `it imports version ${version} of the operators of '${domain}'`, { hint: 'Versions count from 1; export the model again.' });
    opsets.set(domainOf(domain), Number(version));
  }
  return opsets;
}

/** Identifies a function among those of a model. */
export const functionKey = (domain: string, name: string, overload: string): string => JSON.stringify([domainOf(domain), name, overload]);
