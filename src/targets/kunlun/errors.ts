// Numbers of the XPU runtime in words: xpu/defs.h. Calls answer them negated, or as they are.
import type { VendorErrors } from '../../driver/table.ts';
import { words } from '../../driver/words.ts';

export const kunlunErrors: VendorErrors = {
  701: { name: 'XPUERR_INVALID_DEVICE', ...words.badDevice },
  702: { name: 'XPUERR_UNINIT', ...words.notStarted },
  703: { name: 'XPUERR_NODEV', ...words.noDevice, remedy: 'Look with xpu-smi; XPU_VISIBLE_DEVICES hides devices.' },
  704: { name: 'XPUERR_VERSION', ...words.oldDriver },
  705: { name: 'XPUERR_NOMEM', ...words.outOfMemory },
  706: { name: 'XPUERR_NOCPUMEM', ...words.outOfMemory, cause: 'The host has no memory left.' },
  707: { name: 'XPUERR_INVALID_PARAM', ...words.badArgument },
  708: { name: 'XPUERR_NOXPUFUNC', ...words.noKernel },
  709: { name: 'XPUERR_LDSO', ...words.oldDriver },
  710: { name: 'XPUERR_LDSYM', ...words.oldDriver },
  712: { name: 'XPUERR_NOSUPPORT', ...words.notSupported },
  713: { name: 'XPUERR_ABNORMAL', ...words.failed, cause: 'An earlier error has left the device in disorder.' },
  714: { name: 'XPUERR_KEXCEPTION', ...words.badAddress },
  715: { name: 'XPUERR_TIMEOUT', ...words.timedOut },
  716: { name: 'XPUERR_BUSY', ...words.denied, cause: 'Another process has it.', remedy: 'Look with xpu-smi who uses it.' },
  718: { name: 'XPUERR_UCECC', ...words.brokenMemory },
  719: { name: 'XPUERR_OVERHEAT', ...words.failed, cause: 'The device is too hot.', remedy: 'Look at its fans and power with xpu-smi, and restart it.' },
  801: { name: 'XPUERR_DEVRESET', ...words.failed, cause: 'The device is being reset.', remedy: 'Try again later.' },
  802: { name: 'XPUERR_HWEXCEPTION', ...words.failed },
  813: { name: 'XPUERR_FAULT', ...words.system },
};
