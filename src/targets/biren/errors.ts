// Numbers of Biren's driver in words (suError_t). The programming guide prints 1, 2, 9, 13, 100 and 710, which are the numbers of CUDA's
// runtime; the others, whose names alone the references give, are taken to have that runtime's numbers too.
import type { VendorErrors } from '../../driver/table.ts';
import { words } from '../../driver/words.ts';

export const birenErrors: VendorErrors = {
  1: { name: 'suErrorInvalidValue', ...words.badArgument },
  2: { name: 'suErrorMemoryAllocation', ...words.outOfMemory },
  9: { name: 'suErrorInvalidConfiguration', ...words.tooLarge },
  13: { name: 'suErrorInvalidSymbol', ...words.noKernel },
  35: { name: 'suErrorInsufficientDriver', ...words.oldDriver },
  98: { name: 'suErrorInvalidDeviceFunction', ...words.wrongCode },
  100: { name: 'suErrorNoDevice', ...words.noDevice, remedy: 'Look with brsmi; in a container, /dev/biren must be there.' },
  101: { name: 'suErrorInvalidDevice', ...words.badDevice },
  400: { name: 'suErrorInvalidResourceHandle', ...words.badArgument },
  701: { name: 'suErrorLaunchOutOfResource', ...words.tooLarge },
  710: { name: 'suErrorAssert', ...words.failed },
  719: { name: 'suErrorLaunchFailure', ...words.failed },
  801: { name: 'suErrorNotSupported', ...words.notSupported },
};
