// `anychip/target`: what a package needs that brings a chip of its own (docs/new-chip.md).
export { registerTarget } from './session/devices.ts';
export { createDriverTarget } from './driver/target.ts';
export type { DriverTarget } from './driver/target.ts';
export type { LeastMachine } from './driver/machine.ts';
export { fn, none, size, text, u32 } from './driver/table.ts';
export type { CompilerTable, DriverTable, VendorError, VendorErrors } from './driver/table.ts';
export { words } from './driver/words.ts';
export { cudaLanguage } from './render/cuda/language.ts';
export type { LaunchedLanguage } from './render/c/launched.ts';
export type { Dialect } from './render/c/dialect.ts';
export type { Target } from './runtime/device.ts';
