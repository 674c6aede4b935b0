// Errors that users report of vendors' runtimes, by number or code: those of every row of the driver table, and of libraries that no row
// calls. Sources: cnrt.h 6.14; CANN's operator documentation.
import type { VendorError, VendorErrors } from '../driver/table.ts';
import { words } from '../driver/words.ts';
import { abis } from './abis.ts';

const cnrt: VendorErrors = {
  100002: { name: 'cnrtErrorInit', ...words.notStarted },
  100004: { name: 'cnrtErrorNoDevice', ...words.noDevice, remedy: 'Look with cnmon; MLU_VISIBLE_DEVICES hides devices.' },
  100005: { name: 'cnrtErrorDeviceInvalid', ...words.badDevice },
  100006: { name: 'cnrtErrorArgsInvalid', ...words.badArgument },
  100007: { name: 'cnrtErrorSys', ...words.system },
  100010: { name: 'cnrtErrorSysNoMem', ...words.outOfMemory, cause: 'The host has no memory left.' },
  100014: { name: 'cnrtErrorInvalidResourceHandle', ...words.badArgument },
  100050: { name: 'cnrtErrorNotSupport', ...words.notSupported },
  100100: { name: 'cnrtErrorNoMem', ...words.outOfMemory },
  100128: { name: 'cnrtErrorAssert', ...words.failed },
  100132: { name: 'cnrtErrorKernelTrap', ...words.badAddress },
  100302: { name: 'cnrtErrorInvalidKernel', ...words.noKernel },
  100303: { name: 'cnrtErrorUnsupportedKernelVersion', ...words.wrongCode },
  101312: { name: 'cnrtErrorNoKernel', ...words.noKernel },
  101315: { name: 'cnrtErrorNoModule', ...words.wrongCode },
  632015: { name: 'cnrtErrorCndrvFuncCall', ...words.oldDriver },
  632020: { name: 'cnrtErrorCndrvFuncNotFound', ...words.oldDriver },
  999991: { name: 'cnrtErrorUnknown', ...words.unknown },
};

const aclnn: Readonly<Record<string, VendorError>> = {
  161001: { name: 'ACLNN_ERR_PARAM_NULLPTR', ...words.badArgument },
  161002: { name: 'ACLNN_ERR_PARAM_INVALID', ...words.notSupported, meaning: 'the operator does not take such a dtype or shape' },
  561103: {
    name: 'ACLNN_ERR_INNER_NULLPTR',
    meaning: 'an operator of the library could not be prepared',
    cause: 'The dtype is not supported on this chip (often bf16 or i64), or the operators’ package of this chip is not installed.',
    remedy: 'Use f16 or f32, and install the ops package that belongs to the toolkit and the chip.',
  },
  EJ0003: {
    name: 'EJ0003',
    meaning: 'a collective cannot listen on its port',
    cause: 'Another process on the machine has the port, 60000 and up by default.',
    remedy: 'End that process, or set HCCL_IF_BASE_PORT to a free range of 16 ports.',
  },
};

export interface ReportedError extends VendorError {
  /** Whose number it is. */
  readonly runtime: string;
}

/** Every runtime's error of this number or code. */
export function findReported(code: string): readonly ReportedError[] {
  const tables = [...Object.values(abis).map(({ table }) => [table.title, table.errors] as const), ['CNRT', cnrt] as const, ['aclnn and HCCL', aclnn] as const];
  const key = code.trim().toUpperCase().replace(/^-/, '');
  return tables.flatMap(([runtime, errors]) =>
    Object.entries(errors).flatMap(([status, error]) => (status === key || error.name.toUpperCase() === key ? [{ ...error, runtime }] : [])),
  );
}
