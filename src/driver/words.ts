// Causes and remedies that drivers of every vendor share, so that rows of errors say what is their own and no more.
import type { VendorError } from './table.ts';

type Words = Omit<VendorError, 'name'>;

export const words = {
  outOfMemory: {
    fault: 'memory',
    meaning: 'the device is out of memory',
    cause: 'The model, its batch and other processes need more than there is.',
    remedy: 'Bind smaller dimensions, close other sessions, or use a device with more memory.',
  },
  badArgument: { meaning: 'a call was given what it does not take', cause: 'Driver and library may be of different releases.', remedy: 'Update both; report it if it persists.' },
  notStarted: {
    meaning: 'the driver was not started',
    cause: 'The process was forked after it started, or is shutting down.',
    remedy: 'Open the device in the process that uses it.',
  },
  oldDriver: {
    meaning: 'the driver is too old for the runtime',
    cause: 'The kernel module and the user libraries are of different releases.',
    remedy: 'Install the driver that belongs to the toolkit, and restart the machine.',
  },
  noDevice: {
    meaning: 'there is no device',
    cause: 'There is none, it is hidden from this process by an environment variable, or the container was started without it.',
    remedy: 'Look with the vendor’s own tool whether the chip is there.',
  },
  badDevice: { meaning: 'there is no device of this number', cause: 'Numbers begin at 0.', remedy: 'Choose a smaller number.' },
  wrongCode: {
    fault: 'launch',
    meaning: 'the machine code is not for this device',
    cause: 'The plan was compiled for another architecture, or by a newer compiler than the driver knows.',
    remedy: 'Compile the model again on this machine, or update the driver.',
  },
  noKernel: { fault: 'launch', meaning: 'the program has no such kernel', cause: 'The plan and its machine code do not belong together.', remedy: 'Compile the model again.' },
  tooLarge: {
    fault: 'launch',
    meaning: 'the kernel needs more than the device has',
    cause: 'It was compiled for a larger device: more registers, shared memory or threads.',
    remedy: 'Compile the model again on this machine, or use another device.',
  },
  badAddress: {
    fault: 'lost',
    meaning: 'a kernel touched memory that is not its own',
    cause: 'This is a bug of a kernel or memory that is defective; nothing on the device works for this process any more.',
    remedy: 'Start the process again, run with ANYCHIP_DEBUG=1, and report it with the model if it persists.',
  },
  timedOut: {
    fault: 'lost',
    meaning: 'a kernel ran longer than the system allows',
    cause: 'A device that also drives a display has a time limit; otherwise the kernel hangs.',
    remedy: 'Start the process again; bind smaller dimensions, or use a device without a display.',
  },
  failed: {
    fault: 'lost',
    meaning: 'a kernel failed, and the device is lost to this process',
    cause: 'A bug of a kernel, or a fault of the device; the system log may say more.',
    remedy: 'Start the process again; use another device, such as cpu, if it persists.',
  },
  brokenMemory: {
    fault: 'lost',
    meaning: 'the memory of the device has an error that cannot be corrected',
    cause: 'The hardware is failing, or was disturbed.',
    remedy: 'Restart the machine; have the device checked if it returns.',
  },
  notSupported: {
    meaning: 'the device or driver cannot do this',
    cause: 'The driver is older than the call, or the chip lacks it.',
    remedy: 'Update the driver, or use another device.',
  },
  denied: {
    meaning: 'this user may not use the device',
    cause: 'The device file belongs to a group that the user is not in.',
    remedy: 'Add the user to the group, or start the container with the device.',
  },
  unknown: {
    fault: 'lost',
    meaning: 'the driver does not know what went wrong',
    cause: 'Often the kernel module was updated without a restart.',
    remedy: 'Restart the machine; use another device, such as cpu, if it persists.',
  },
  system: {
    meaning: 'the operating system refused a call of the driver',
    cause: 'Limits of the process or container: locked memory, open files, shared memory.',
    remedy: 'Raise the limits, then start again.',
  },
  capture: {
    meaning: 'the call may not be recorded',
    cause: 'Something waited for the stream while its work was being recorded.',
    remedy: 'This is a bug in anychip; please report it.',
  },
} as const satisfies Record<string, Words>;
