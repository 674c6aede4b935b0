// Numbers of HIP in words (hipError_t).
import type { VendorErrors } from '../../driver/table.ts';
import { words } from '../../driver/words.ts';

export const hipErrors: VendorErrors = {
  1: { name: 'hipErrorInvalidValue', ...words.badArgument },
  2: { name: 'hipErrorOutOfMemory', ...words.outOfMemory },
  3: { name: 'hipErrorNotInitialized', ...words.notStarted },
  4: { name: 'hipErrorDeinitialized', ...words.notStarted },
  9: { name: 'hipErrorInvalidConfiguration', ...words.tooLarge },
  35: { name: 'hipErrorInsufficientDriver', ...words.oldDriver },
  98: { name: 'hipErrorInvalidDeviceFunction', ...words.wrongCode },
  100: {
    name: 'hipErrorNoDevice',
    ...words.noDevice,
    remedy: 'Look with hy-smi or rocm-smi; HIP_VISIBLE_DEVICES hides devices, and the user must be in the groups video and render.',
  },
  101: { name: 'hipErrorInvalidDevice', ...words.badDevice },
  200: { name: 'hipErrorInvalidImage', ...words.wrongCode },
  201: { name: 'hipErrorInvalidContext', ...words.notStarted },
  209: { name: 'hipErrorNoBinaryForGpu', ...words.wrongCode },
  214: { name: 'hipErrorECCNotCorrectable', ...words.brokenMemory },
  218: { name: 'hipErrorInvalidKernelFile', ...words.wrongCode },
  301: { name: 'hipErrorFileNotFound', ...words.wrongCode },
  303: { name: 'hipErrorSharedObjectInitFailed', ...words.wrongCode },
  304: { name: 'hipErrorOperatingSystem', ...words.system },
  400: { name: 'hipErrorInvalidHandle', ...words.badArgument },
  500: { name: 'hipErrorNotFound', ...words.noKernel },
  700: { name: 'hipErrorIllegalAddress', ...words.badAddress },
  701: { name: 'hipErrorLaunchOutOfResources', ...words.tooLarge },
  702: { name: 'hipErrorLaunchTimeOut', ...words.timedOut },
  710: { name: 'hipErrorAssert', ...words.failed },
  719: { name: 'hipErrorLaunchFailure', ...words.failed },
  801: { name: 'hipErrorNotSupported', ...words.notSupported },
  900: { name: 'hipErrorStreamCaptureUnsupported', ...words.capture },
  999: { name: 'hipErrorUnknown', ...words.unknown },
  1052: { name: 'hipErrorRuntimeMemory', ...words.outOfMemory },
  1053: { name: 'hipErrorRuntimeOther', ...words.failed },
};
