// Names that ONNX files use for domains and functions.
import type { OperatorSetIdProto } from './generated/onnx_pb.ts';

/** 'ai.onnx' is another name of ''. */
export const domainOf = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

/** Opset by domain. */
export const opsetsOf = (imports: readonly OperatorSetIdProto[]): Map<string, number> => new Map(imports.map(({ domain, version }) => [domainOf(domain), Number(version)]));

/** Identifies a function among those of a model. */
export const functionKey = (domain: string, name: string, overload: string): string => JSON.stringify([domainOf(domain), name, overload]);
