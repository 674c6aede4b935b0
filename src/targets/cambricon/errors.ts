// Numbers of Cambricon's runtimes in words: those of CNRT that are public (cnrt.h), which the driver shares as far as is known.
import type { VendorErrors } from '../../driver/table.ts';
import { words } from '../../driver/words.ts';

export const cambriconErrors: VendorErrors = {
  100004: { name: 'CN_ERROR_NO_DEVICE', ...words.noDevice, remedy: 'Look with cnmon; MLU_VISIBLE_DEVICES hides devices.' },
  100100: { name: 'CN_MEMORY_ERROR_OUT_OF_MEMORY', ...words.outOfMemory, remedy: `${words.outOfMemory.remedy} cnmon tells who uses it.` },
  100303: { name: 'CN_ERROR_UNSUPPORTED_KERNEL_VERSION', ...words.wrongCode },
  101000: { name: 'CN_INVOKE_ERROR', ...words.failed },
};
