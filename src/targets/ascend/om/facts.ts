// What atc takes, from CANN's guide to it (opsets 11 to 18 of ai.onnx), and how it calls chips.
import type { ModelCapabilities } from '../../../runtime/device.ts';

/** The latest that atc reads. */
const OPSET = 18;
/** What operators of that opset know; bf16 and smaller floats came to most of them later. */
const STORAGE = ['f32', 'f16', 'f64', 'i8', 'i16', 'i32', 'i64', 'u8', 'u16', 'u32', 'u64', 'bool'] as const;

export const omCapabilities = (memoryBytes: number): ModelCapabilities => ({ family: 'model', storage: STORAGE, maxBufferBytes: memoryBytes, opset: OPSET });

/** As atc and the runtime call a chip. */
export const socOf = (chip: string): string => `Ascend${chip.toUpperCase()}`;
