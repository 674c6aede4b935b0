// The nets that the bench builds, by name.
import { inceptionLike, mobileNetLike, resNetLike, vggLike } from './images.ts';
import type { Built } from './net.ts';
import { dynamicLinear, fourBitProduct, quantisedImages, quantisedLinear } from './quantised.ts';
import { bertBase, decoderStep, encoder, gpt2Small } from './transformers.ts';

const layer = { ...bertBase, layers: 1 };

export interface BuiltNet {
  readonly name: string;
  readonly group: string;
  readonly build: () => Built;
  /** Of the largest number of an output: what runners may differ by, where it is more than usual. */
  readonly tolerance?: number;
  /** Whether runs write into the outputs of the first, as loops of a decoder do. */
  readonly reuses?: boolean;
}

/** Where a byte may be rounded either way, and the next layer's with it. */
const bytes = { group: 'quantised', tolerance: 0.1 };

export const builtNets: readonly BuiltNet[] = [
  { name: 'VGG-like', group: 'nets', build: () => vggLike({ size: 224 }) },
  { name: 'Inception-like', group: 'nets', build: () => inceptionLike({ size: 224 }) },
  { name: 'MobileNet-like', group: 'nets', build: () => mobileNetLike({ size: 224 }) },
  { name: 'BERT-base', group: 'transformers', build: () => encoder('BERT-base', bertBase) },
  { name: 'GPT-2-small step', group: 'transformers', reuses: true, build: () => decoderStep('GPT-2-small step', gpt2Small) },
  { name: 'ResNet-like int8', ...bytes, build: () => resNetLike({ size: 224 }, quantisedImages) },
  { name: 'MobileNet-like int8', ...bytes, build: () => mobileNetLike({ size: 224 }, quantisedImages) },
  { name: 'BERT layer int8', ...bytes, build: () => encoder('BERT layer int8', layer, quantisedLinear) },
  { name: 'BERT layer int8 dynamic', ...bytes, build: () => encoder('BERT layer int8 dynamic', layer, dynamicLinear) },
  { name: 'MatMul int4 1×4096×4096', group: 'quantised', build: () => fourBitProduct('int4', 1, 4096, 4096) },
  { name: 'MatMul int4 64×2048×2048', group: 'quantised', build: () => fourBitProduct('int4', 64, 2048, 2048) },
];
