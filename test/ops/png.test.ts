// PNG files as an independent encoder writes them, read back: every colour type and depth it knows; and files that are damaged.
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { decodePng } from '../../src/reference/png.ts';

const [width, height] = [13, 7];
const pixels = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i * 37 + (i >> 3) * 11) & 255);
const reserve = (): void => undefined;

/** The file of the pixels as they are, without alpha where the colour type has none. */
function encode(colorType: 0 | 2 | 4 | 6, filterType: number): Uint8Array {
  const png = new PNG({ width, height, colorType, inputColorType: 6, inputHasAlpha: true, filterType });
  png.data = Buffer.from(pixels);
  return PNG.sync.write(png, { colorType, filterType });
}

describe('PNG', () => {
  for (const colour of [0, 2, 4, 6] as const) {
    for (let filter = 0; filter <= 4; filter++) {
      it(`is read in colour type ${colour} with filter ${filter}`, () => {
        const file = encode(colour, filter);
        const { data } = PNG.sync.read(Buffer.from(file));
        expect(decodePng(file, reserve)).toEqual({ width, height, channels: 4, data: Uint8Array.from(data) });
      });
    }
  }

  it('of sixteen bits keeps the upper eight, rounded', () => {
    const png = new PNG({ width: 2, height: 1, colorType: 6, bitDepth: 16 });
    png.data = Buffer.from(Uint16Array.of(0, 65535, 257, 32768, 1, 2, 3, 65535).buffer);
    expect([...decodePng(PNG.sync.write(png, { bitDepth: 16, colorType: 6 }), reserve).data]).toEqual([0, 255, 1, 128, 0, 0, 0, 255]);
  });

  it('is refused where it is damaged', () => {
    const file = encode(6, 1);
    const flipped = file.with(60, file[60]! ^ 1);
    expect(() => decodePng(flipped, reserve)).toThrow(/checksum of IDAT/);
    expect(() => decodePng(file.subarray(0, file.length - 20), reserve)).toThrow(/cut off|missing/);
    expect(() => decodePng(file.subarray(0, 20), reserve)).toThrow(/cannot be read/);
  });
});
