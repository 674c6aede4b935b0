// What atc takes, from CANN's guide to it (opsets 11 to 18 of ai.onnx), and how it calls chips.
import type { DriverTable } from '../../../driver/table.ts';
import type { ModelCapabilities } from '../../../runtime/device.ts';
import { ascendTable } from '../driver.ts';

/** The latest that atc reads. */
const OPSET = 18;
/** What operators of that opset know; bf16 and smaller floats came to most of them later. */
const STORAGE = ['f32', 'f16', 'f64', 'i8', 'i16', 'i32', 'i64', 'u8', 'u16', 'u32', 'u64', 'bool'] as const;

export const omCapabilities = (memoryBytes: number): ModelCapabilities => ({ family: 'model', storage: STORAGE, maxBufferBytes: memoryBytes, opset: OPSET });

/** As atc and the runtime call a chip: the one that is compiled for where there is none. */
export const DEFAULT_SOC = 'Ascend910B4';

/** Whatever the chip is: what is compiled for it is told its name. */
export const omTable: DriverTable = { ...ascendTable, architecture: { always: 'a whole model' } };
