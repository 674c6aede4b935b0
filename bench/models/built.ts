// The nets that the bench builds, by name.
import { inceptionLike, mobileNetLike, resNetLike, vggLike } from './images.ts';
import type { Built } from './net.ts';
import { dynamicLinear, fourBitProduct, quantisedImages, quantisedLinear } from './quantised.ts';
import { bertBase, decoderStep, encoder, gpt2Small } from './transformers.ts';

const layer = { ...bertBase, layers: 1 };

export const builtNets: Readonly<Record<string, () => Built>> = {
  'VGG-like': () => vggLike({ size: 224 }),
  'Inception-like': () => inceptionLike({ size: 224 }),
  'MobileNet-like': () => mobileNetLike({ size: 224 }),
  'BERT-base': () => encoder('BERT-base', bertBase),
  'GPT-2-small step': () => decoderStep('GPT-2-small step', gpt2Small),
  'ResNet-like int8': () => resNetLike({ size: 224 }, quantisedImages),
  'BERT layer int8': () => encoder('BERT layer int8', layer, quantisedLinear),
  'BERT layer int8 dynamic': () => encoder('BERT layer int8 dynamic', layer, dynamicLinear),
  'MatMul int4 1×4096×4096': () => fourBitProduct('int4', 1, 4096, 4096),
  'MatMul int4 64×2048×2048': () => fourBitProduct('int4', 64, 2048, 2048),
};
