// Numbers of CUDA's driver API in words (its reference manual, CUresult).
import { errorsCalled } from '../../driver/errorNumbers.ts';
import type { VendorErrors } from '../../driver/table.ts';
import { words } from '../../driver/words.ts';

export const cudaErrors: VendorErrors = {
  ...errorsCalled('CUDA_ERROR_'),
  100: { name: 'CUDA_ERROR_NO_DEVICE', ...words.noDevice, remedy: 'Look with nvidia-smi; CUDA_VISIBLE_DEVICES hides devices.' },
  802: {
    name: 'CUDA_ERROR_SYSTEM_NOT_READY',
    ...words.notStarted,
    cause: 'The fabric manager of the machine is not running yet.',
    remedy: 'Start nvidia-fabricmanager, or wait for it.',
  },
};
