// Reference of ImageDecoder: JPEG, PNG, BMP and PNM files to pixels. Knows formats by their first bytes, never by names.
// The encoder beside it is left out: it needs Node's Buffer.
import decodeBaseline from 'jpeg-js/lib/decoder.js';
import { AnychipError } from '../core/error.ts';
import { bytesOf, tensorOf } from '../core/tensor.ts';
import { numericAt } from './evaluate.ts';
import type { Evaluate, EvaluateContext } from './evaluate.ts';
import { decodePng } from './png.ts';

/** Row-major RGB or RGBA, `channels` bytes a pixel. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly data: Uint8Array | Uint8ClampedArray;
}
type Reserve = EvaluateContext['reserve'];

interface Format {
  readonly name: string;
  readonly matches: (bytes: Uint8Array) => boolean;
  /** Absent where the format is known but cannot be read here. */
  readonly decode?: (bytes: Uint8Array, reserve: Reserve) => Pixels;
}

const starts =
  (...magic: number[]) =>
  (bytes: Uint8Array): boolean =>
    magic.every((byte, i) => byte < 0 || bytes[i] === byte);
const ascii = (text: string): number[] => Array.from(text, (c) => c.charCodeAt(0));

const formats: readonly Format[] = [
  { name: 'JPEG', matches: starts(0xff, 0xd8, 0xff), decode: decodeJpeg },
  { name: 'PNG', matches: starts(0x89, ...ascii('PNG')), decode: decodePng },
  { name: 'BMP', matches: starts(...ascii('BM')), decode: decodeBmp },
  {
    name: 'PNM',
    matches: (bytes) => bytes[0] === 0x50 && bytes[1]! >= 0x31 && bytes[1]! <= 0x36,
    decode: decodePnm,
  },
  { name: 'WebP', matches: starts(...ascii('RIFF'), -1, -1, -1, -1, ...ascii('WEBP')) },
  {
    name: 'TIFF',
    matches: (bytes) => starts(0x49, 0x49, 42, 0)(bytes) || starts(0x4d, 0x4d, 0, 42)(bytes),
  },
  {
    name: 'JPEG 2000',
    matches: (bytes) => starts(0, 0, 0, 12, ...ascii('jP'))(bytes) || starts(0xff, 0x4f, 0xff, 0x51)(bytes),
  },
];

const bad = (reason: string): never => {
  throw new AnychipError('bad-file', `the image cannot be read: ${reason}`, {
    hint: 'Give a whole JPEG, PNG, BMP or PNM file.',
  });
};

function decodeJpeg(bytes: Uint8Array, reserve: Reserve): Pixels {
  const { width, height, data } = guarded(() =>
    decodeBaseline(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      maxMemoryUsageInMB: 4096,
      maxResolutionInMP: 1000,
    }),
  );
  reserve(data.byteLength);
  return { width, height, channels: 3, data };
}

function guarded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    return bad(error instanceof Error ? error.message : String(error));
  }
}

/** Uncompressed BMP of 8 (palette), 24 or 32 bits; rows lie bottom up unless the height is negative. */
function decodeBmp(bytes: Uint8Array, reserve: Reserve): Pixels {
  if (bytes.length < 54) return bad('the BMP header is cut off');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [start, headerSize, width, signedHeight, bits, compression] = [
    view.getUint32(10, true),
    view.getUint32(14, true),
    view.getInt32(18, true),
    view.getInt32(22, true),
    view.getUint16(28, true),
    view.getUint32(30, true),
  ];
  const height = Math.abs(signedHeight);
  const plain = compression === 0 || (compression === 3 && bits === 32);
  if (width <= 0 || height === 0 || !plain || ![8, 24, 32].includes(bits)) return bad(`BMP with ${bits} bits a pixel, compression ${compression} and size ${width}×${height}`);
  const stride = Math.ceil((width * bits) / 32) * 4;
  const palette = 14 + headerSize;
  if (start + stride * height > bytes.length || (bits === 8 && palette + 4 > bytes.length)) return bad('the BMP is shorter than its header says');
  reserve(width * height * 3);
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const row = start + (signedHeight > 0 ? height - 1 - y : y) * stride;
    for (let x = 0; x < width; x++) {
      const at = bits === 8 ? palette + bytes[row + x]! * 4 : row + (x * bits) / 8;
      for (let c = 0; c < 3; c++) data[(y * width + x) * 3 + c] = bytes[at + 2 - c] ?? 0;
    }
  }
  return { width, height, channels: 3, data };
}

/** Netpbm P1 to P6: bitmaps, greymaps and pixmaps, plain or raw, at most 16 bits a sample. */
function decodePnm(bytes: Uint8Array, reserve: Reserve): Pixels {
  const kind = bytes[1]! - 0x30;
  let at = 2;
  const isSpace = (byte: number | undefined): boolean => byte !== undefined && byte <= 0x20;
  const token = (single: boolean): number => {
    for (; isSpace(bytes[at]) || bytes[at] === 0x23; at++) if (bytes[at] === 0x23) while (at < bytes.length && bytes[at] !== 0x0a) at++;
    const from = at;
    const end = single ? from + 1 : bytes.length;
    while (at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++;
    return at === from ? bad('the PNM is cut off or holds something that is no number') : Number(String.fromCharCode(...bytes.subarray(from, at)));
  };
  const [width, height] = [token(false), token(false)];
  const [bitmap, colour, raw] = [kind === 1 || kind === 4, kind === 3 || kind === 6, kind > 3];
  const top = bitmap ? 1 : token(false);
  if (width === 0 || height === 0 || top === 0 || top > 65535) return bad(`PNM of ${width}×${height} with a maximum of ${top}`);
  const samples = colour ? 3 : 1;
  const width8 = top > 255 ? 2 : 1;
  at += raw ? 1 : 0;
  const rowBytes = bitmap ? Math.ceil(width / 8) : width * samples * width8;
  if (raw && at + rowBytes * height > bytes.length) return bad('the PNM is shorter than its header says');
  reserve(width * height * 3);
  const start = at;
  const rawSample = (y: number, i: number): number => {
    const row = start + y * rowBytes;
    if (bitmap) return (bytes[row + (i >> 3)]! >> (7 - (i & 7))) & 1;
    return width8 === 1 ? bytes[row + i]! : bytes[row + 2 * i]! * 256 + bytes[row + 2 * i + 1]!;
  };
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < width * samples; i++) {
      const sample = raw ? rawSample(y, i) : token(bitmap);
      // Ones are black in bitmaps.
      const value = bitmap ? 255 * (1 - sample) : Math.round((255 * sample) / top);
      if (colour) data[y * width * 3 + i] = value;
      else data.fill(value, (y * width + i) * 3, (y * width + i) * 3 + 3);
    }
  }
  return { width, height, channels: 3, data };
}

/** ITU-R 601-2 luma in 16-bit fixed point. */
const luma = (r: number, g: number, b: number): number => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;

const layouts: Readonly<
  Record<
    string,
    {
      readonly channels: number;
      readonly write: (out: Uint8Array, at: number, r: number, g: number, b: number) => void;
    }
  >
> = {
  RGB: { channels: 3, write: (out, at, r, g, b) => out.set([r, g, b], at) },
  BGR: { channels: 3, write: (out, at, r, g, b) => out.set([b, g, r], at) },
  Grayscale: { channels: 1, write: (out, at, r, g, b) => void (out[at] = luma(r, g, b)) },
};

/** The pixels of an image file of any format known here; `reserve` is asked before they are allocated. */
export function decodePixels(bytes: Uint8Array, reserve: Reserve): Pixels {
  const format = formats.find(({ matches }) => matches(bytes));
  if (format === undefined) return bad('its first bytes are those of no known format');
  if (format.decode === undefined) {
    throw new AnychipError('unsupported', `images in ${format.name} cannot be decoded here`, {
      hint: 'Decode the image before it is given to the model, or convert it to PNG or JPEG.',
    });
  }
  return format.decode(bytes, reserve);
}

export const imageDecoder: Evaluate<'ImageDecoder'> = ({ attrs }, inputs, context) => {
  const stream = numericAt(inputs, 0);
  const layout = Object.hasOwn(layouts, attrs.pixel_format) ? layouts[attrs.pixel_format]! : undefined;
  if (layout === undefined) throw new AnychipError('bad-model', `pixel_format '${attrs.pixel_format}' is none of ${Object.keys(layouts).join(', ')}`);
  if (stream.dtype !== 'u8' || stream.shape.length !== 1) throw new AnychipError('shape', 'encoded_stream must be a vector of u8');
  const { width, height, channels, data } = decodePixels(bytesOf(stream), context.reserve);
  context.reserve(width * height * layout.channels);
  const out = new Uint8Array(width * height * layout.channels);
  for (let i = 0; i < width * height; i++) layout.write(out, i * layout.channels, data[i * channels]!, data[i * channels + 1]!, data[i * channels + 2]!);
  return [tensorOf('u8', [height, width, layout.channels], out)];
};
