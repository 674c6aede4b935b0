// PNG files (W3C PNG, third edition) to pixels: every colour type, depth and interlacing. Inflating is the library's work.
import { unzlibSync } from 'fflate';
import { checksum } from '../core/checksum.ts';
import { AnychipError } from '../core/error.ts';
import type { Pixels } from './image.ts';

const bad = (reason: string): never => {
  throw new AnychipError('bad-file', `the image cannot be read: ${reason}`, { hint: 'Give a whole PNG file.' });
};

const SIGNATURE_BYTES = 8;
/** Length, type and checksum around the data of a chunk. */
const CHUNK_BYTES = 12;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  /** 1: palette, 2: colour, 4: alpha. */
  readonly colour: number;
  readonly interlaced: boolean;
}

/** Samples of a pixel by colour type, and the depths that it may have. */
const colours: Readonly<Record<number, { readonly samples: number; readonly depths: readonly number[] }>> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
};

/** First column and row, and the steps between those, of each pass of Adam7. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const WHOLE = [[0, 0, 1, 1]] as const;

/** The data of all chunks of each type. */
function chunksOf(bytes: Uint8Array): Map<string, Uint8Array[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks = new Map<string, Uint8Array[]>();
  for (let at = SIGNATURE_BYTES; at + CHUNK_BYTES <= bytes.length;) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) return bad('a chunk is cut off');
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (view.getUint32(end) !== checksum(bytes.subarray(at + 4, end))) return bad(`the checksum of ${type} is wrong`);
    chunks.set(type, [...(chunks.get(type) ?? []), bytes.subarray(at + 8, end)]);
    if (type === 'IEND') return chunks;
    at = end + 4;
  }
  return bad('its end is missing');
}

function headerOf(data: Uint8Array | undefined): Header {
  if (data?.length !== 13) return bad('the PNG header is cut off');
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const [width, height, depth, colour] = [view.getUint32(0), view.getUint32(4), data[8]!, data[9]!];
  const known = data[10] === 0 && data[11] === 0 && data[12]! <= 1 && colours[colour]?.depths.includes(depth) === true;
  return known && width > 0 && height > 0 ? { width, height, depth, colour, interlaced: data[12] === 1 } : bad('its header says what no PNG can');
}

/** What each filter adds to a byte: of the pixel to the left, above, and above that. */
const filters: readonly ((a: number, b: number, c: number) => number)[] = [
  () => 0,
  (a) => a,
  (_, b) => b,
  (a, b) => (a + b) >> 1,
  (a, b, c) => {
    const p = a + b - c;
    const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
  },
];

/** Undoes the filter of one row in place. */
function unfilter(row: Uint8Array, above: Uint8Array | undefined, kind: number, step: number): void {
  const filter = filters[kind] ?? bad(`there is no filter ${kind}`);
  for (let i = 0; i < row.length; i++) row[i] = row[i]! + filter(row[i - step] ?? 0, above?.[i] ?? 0, above?.[i - step] ?? 0);
}

/** A pixel's RGBA from its raw samples. */
function painterOf({ colour, depth }: Header, chunks: ReadonlyMap<string, readonly Uint8Array[]>): (samples: readonly number[], out: Uint8Array, at: number) => void {
  const [palette, clear] = [chunks.get('PLTE')?.[0], chunks.get('tRNS')?.[0]];
  if (colour === 3) {
    if (palette === undefined) return bad('its palette is missing');
    return ([entry], out, at) => {
      if (entry! * 3 + 3 > palette.length) bad('a colour lies outside of its palette');
      out.set(palette.subarray(entry! * 3, entry! * 3 + 3), at);
      out[at + 3] = clear?.[entry!] ?? 255;
    };
  }
  const top = 2 ** depth - 1;
  const scale = (sample: number): number => Math.round((sample * 255) / top);
  const colourSamples = colour & 2 ? 3 : 1;
  const transparent = clear === undefined ? undefined : Array.from({ length: colourSamples }, (_, i) => clear[2 * i]! * 256 + clear[2 * i + 1]!);
  return (samples, out, at) => {
    for (let c = 0; c < 3; c++) out[at + c] = scale(samples[colourSamples === 3 ? c : 0]!);
    out[at + 3] = colour & 4 ? scale(samples[colourSamples]!) : transparent?.every((value, i) => value === samples[i]) === true ? 0 : 255;
  };
}

/** Rows of all passes, one after the other. */
function paint(header: Header, data: Uint8Array, draw: ReturnType<typeof painterOf>): Uint8Array {
  const { width, height, depth } = header;
  const { samples: count } = colours[header.colour]!;
  const out = new Uint8Array(width * height * 4);
  const step = Math.max((count * depth) >> 3, 1);
  const samples = new Array<number>(count).fill(0);
  let at = 0;
  for (const [left, top, across, down] of header.interlaced ? ADAM7 : WHOLE) {
    const columns = Math.ceil((width - left) / across);
    if (columns <= 0) continue;
    const rowBytes = Math.ceil((columns * count * depth) / 8);
    let above: Uint8Array | undefined;
    for (let y = top; y < height; y += down) {
      const row = data.subarray(at + 1, at + 1 + rowBytes);
      if (row.length < rowBytes) return bad('it holds fewer pixels than its header says');
      unfilter(row, above, data[at]!, step);
      for (let x = 0; x < columns; x++) {
        for (let s = 0; s < count; s++) samples[s] = sampleAt(row, x * count + s, depth);
        draw(samples, out, (y * width + left + x * across) * 4);
      }
      above = row;
      at += rowBytes + 1;
    }
  }
  return out;
}

function sampleAt(row: Uint8Array, i: number, depth: number): number {
  if (depth === 16) return row[2 * i]! * 256 + row[2 * i + 1]!;
  const bit = i * depth;
  return (row[bit >> 3]! >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
}

/** `reserve` is told the bytes before they are allocated. */
export function decodePng(bytes: Uint8Array, reserve: (bytes: number) => void): Pixels {
  const chunks = chunksOf(bytes);
  const header = headerOf(chunks.get('IHDR')?.[0]);
  const { width, height } = header;
  const bytesOfPixel = (colours[header.colour]!.samples * header.depth) / 8;
  // Filter bytes and rounding of each row, seven passes at most.
  const rawBytes = Math.ceil(width * height * bytesOfPixel) + (height + 8) * 2 * 7;
  reserve(width * height * 4 + rawBytes);
  const packed = chunks.get('IDAT') ?? bad('it holds no pixels');
  const joined = new Uint8Array(packed.reduce((sum, part) => sum + part.length, 0));
  packed.reduce((at, part) => (joined.set(part, at), at + part.length), 0);
  let data: Uint8Array;
  try {
    data = unzlibSync(joined, { out: new Uint8Array(rawBytes) });
  } catch (error) {
    return bad(error instanceof Error ? error.message : String(error));
  }
  return { width, height, channels: 4, data: paint(header, data, painterOf(header, chunks)) };
}
