// Numbers of the ACL runtime in words (acl_base_rt.h, acl_rt.h; what users report of them).
import type { VendorErrors } from '../../driver/table.ts';
import { words } from '../../driver/words.ts';

export const ascendErrors: VendorErrors = {
  100000: { name: 'ACL_ERROR_INVALID_PARAM', ...words.badArgument },
  100002: { name: 'ACL_ERROR_REPEAT_INITIALIZE', ...words.badArgument, meaning: 'the runtime was started twice' },
  100026: { name: 'ACL_ERROR_UNSUPPORTED_DATA_TYPE', ...words.notSupported },
  107000: { name: 'ACL_ERROR_RT_PARAM_INVALID', ...words.badArgument },
  107001: { name: 'ACL_ERROR_RT_INVALID_DEVICEID', ...words.badDevice },
  107002: { name: 'ACL_ERROR_RT_CONTEXT_NULL', ...words.notStarted },
  107003: { name: 'ACL_ERROR_RT_STREAM_CONTEXT', ...words.badArgument },
  107017: { name: 'ACL_ERROR_RT_INVALID_HANDLE', ...words.badArgument },
  207004: { name: 'ACL_ERROR_RT_NO_DEVICE', ...words.noDevice, remedy: 'Look with npu-smi info; ASCEND_RT_VISIBLE_DEVICES hides devices.' },
  200000: { name: 'ACL_ERROR_BAD_ALLOC', ...words.outOfMemory, cause: 'The host has no memory left.' },
  207001: { name: 'ACL_ERROR_RT_MEMORY_ALLOCATION', ...words.outOfMemory, remedy: `${words.outOfMemory.remedy} npu-smi info tells who uses it.` },
  500000: { name: 'ACL_ERROR_INTERNAL_ERROR', ...words.unknown },
  500003: { name: 'ACL_ERROR_RT_FAILURE', ...words.unknown },
  507013: {
    name: 'ACL_ERROR_RT_SYS_DMA',
    ...words.failed,
    meaning: 'a copy between host and device failed',
    cause: 'The link to the device has a fault, or host memory was let go while it was copied.',
  },
  507014: { name: 'ACL_ERROR_RT_AICORE_TIMEOUT', ...words.timedOut },
  507015: { name: 'ACL_ERROR_RT_AICORE_EXCEPTION', ...words.failed },
  507033: {
    name: 'ACL_ERROR_RT_DEV_SETUP_ERROR',
    ...words.denied,
    cause: 'The driver does not answer: another release than the toolkit, or the device is in use by a container.',
  },
  507034: { name: 'ACL_ERROR_RT_VECTOR_CORE_TIMEOUT', ...words.timedOut },
  507035: { name: 'ACL_ERROR_RT_VECTOR_CORE_EXCEPTION', ...words.badAddress },
  507899: { name: 'ACL_ERROR_RT_DRV_INTERNAL_ERROR', ...words.oldDriver },
};
