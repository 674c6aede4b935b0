// The numbers that one vendor's driver gave its errors and others kept, in words. Names differ by a prefix.
import type { VendorErrors } from './table.ts';
import { words } from './words.ts';

const numbers: VendorErrors = {
  1: { name: 'INVALID_VALUE', ...words.badArgument },
  2: { name: 'OUT_OF_MEMORY', ...words.outOfMemory },
  3: { name: 'NOT_INITIALIZED', ...words.notStarted },
  4: { name: 'DEINITIALIZED', ...words.notStarted },
  46: {
    name: 'DEVICE_UNAVAILABLE',
    ...words.denied,
    cause: 'Another process has it for itself (compute mode), or it is being reset.',
    remedy: 'Look with the vendor’s own tool who uses it.',
  },
  100: { name: 'NO_DEVICE', ...words.noDevice },
  101: { name: 'INVALID_DEVICE', ...words.badDevice },
  200: { name: 'INVALID_IMAGE', ...words.wrongCode },
  201: { name: 'INVALID_CONTEXT', ...words.notStarted },
  209: { name: 'NO_BINARY_FOR_GPU', ...words.wrongCode },
  214: { name: 'ECC_UNCORRECTABLE', ...words.brokenMemory },
  218: { name: 'INVALID_PTX', ...words.wrongCode },
  222: { name: 'UNSUPPORTED_PTX_VERSION', ...words.wrongCode },
  300: { name: 'INVALID_SOURCE', ...words.wrongCode },
  304: { name: 'OPERATING_SYSTEM', ...words.system },
  400: { name: 'INVALID_HANDLE', ...words.badArgument },
  500: { name: 'NOT_FOUND', ...words.noKernel },
  700: { name: 'ILLEGAL_ADDRESS', ...words.badAddress },
  701: { name: 'LAUNCH_OUT_OF_RESOURCES', ...words.tooLarge },
  702: { name: 'LAUNCH_TIMEOUT', ...words.timedOut },
  709: { name: 'CONTEXT_IS_DESTROYED', ...words.failed },
  710: { name: 'ASSERT', ...words.failed },
  714: { name: 'HARDWARE_STACK_ERROR', ...words.failed },
  715: { name: 'ILLEGAL_INSTRUCTION', ...words.failed },
  716: { name: 'MISALIGNED_ADDRESS', ...words.badAddress },
  717: { name: 'INVALID_ADDRESS_SPACE', ...words.badAddress },
  718: { name: 'INVALID_PC', ...words.failed },
  719: { name: 'LAUNCH_FAILED', ...words.failed },
  800: { name: 'NOT_PERMITTED', ...words.notSupported },
  801: { name: 'NOT_SUPPORTED', ...words.notSupported },
  802: {
    name: 'SYSTEM_NOT_READY',
    ...words.notStarted,
    cause: 'The fabric manager of the machine is not running yet.',
    remedy: 'Start nvidia-fabricmanager, or wait for it.',
  },
  803: { name: 'SYSTEM_DRIVER_MISMATCH', ...words.oldDriver },
  804: { name: 'COMPAT_NOT_SUPPORTED_ON_DEVICE', ...words.oldDriver },
  900: { name: 'STREAM_CAPTURE_UNSUPPORTED', ...words.capture },
  901: { name: 'STREAM_CAPTURE_INVALIDATED', ...words.capture },
  999: { name: 'UNKNOWN', ...words.unknown },
};

/** The table of a vendor that calls them by this prefix. */
export const errorsCalled = (prefix: string): VendorErrors =>
  Object.fromEntries(Object.entries(numbers).map(([status, error]) => [status, { ...error, name: `${prefix}${error.name}` }]));
