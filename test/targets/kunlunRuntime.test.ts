// The XPU runtime of a virtual chip, called as a program of its own would: what its header and guide forbid is refused with the rule named,
// and faults on purpose look as they would on a chip.
import { basename, dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { findCompiler } from '../../src/driver/compiler.ts';
import { virtualChip } from '../../src/driver/virtualChips.ts';
import { HostMemory } from '../../src/ffi/hostMemory.ts';
import { openNative } from '../../src/ffi/native.ts';
import type { NativeType, NativeValue } from '../../src/ffi/native.ts';
import { CompileCache } from '../../src/runtime/compileCache.ts';
import { findHostCompiler } from '../../src/runtime/hostCompiler.ts';
import { buildVirtualChip } from '../../src/runtime/virtualChip.ts';
import type { BuiltChip } from '../../src/runtime/virtualChip.ts';
import { kunlunTable } from '../../src/targets/kunlun/driver.ts';
import { kunlunChips } from '../../src/targets/kunlun/facts.ts';
import { createKunlunTarget } from '../../src/targets/kunlun/target.ts';

const hasCompiler = await findHostCompiler().then(
  () => true,
  () => false,
);

const HEAD = '#include "xpu/kernel/xtdk.h"\n#include "xpu/kernel/xtdk_simd.h"\n';
const KERNEL = `${HEAD}extern "C" __global__ void add_one(__global_ptr__ const float *x, __global_ptr__ float *y) {
  if (cluster_id() * core_num() + core_id() != 0) return;
  __simd__ float tile[16];
  GM2LM(x, tile, 64);
  vstore_lm_float32x16(tile, svadd_float32x16(1.0f, vload_lm_float32x16(tile)));
  mfence_lm();
  LM2GM(tile, y, 64);
}
`;
const BYTES = 64;
const build = async (chip: keyof typeof kunlunChips): Promise<BuiltChip> =>
  buildVirtualChip(virtualChip('kunlun', kunlunChips[chip], createKunlunTarget().virtual!.open(chip, chip)!.capabilities, 'xtdk'), new CompileCache());
const [INVALID_PARAM, NOXPUFUNC, KEXCEPTION, USEAFCLOSE, NOMEM] = [-707, -708, -714, -717, -705];

describe.skipIf(!hasCompiler)('the XPU runtime of a virtual chip', async () => {
  const { path, program } = await build('r200');
  const { args, input, link } = kunlunTable.compiler.program;
  const compiler = await findCompiler({
    title: 'XTDK',
    install: '',
    program: { name: basename(program!), folders: [dirname(program!)], args, input, link: (architecture) => ({ args: link(architecture, '.').args }) },
  });
  const code = await compiler.compile(KERNEL, 'xpu2');
  const native = await openNative();
  const library = native.open(path);
  const call = (name: string, types: readonly NativeType[], ...values: readonly NativeValue[]): number => Number(library.find(name, 'i32', types)(...values));
  const said = (): string => native.textAt(BigInt(library.find('anychip_message', 'pointer', ['i32'])(1)));

  const cell = (): HostMemory => new HostMemory(native, 8);
  const stream = (): bigint => {
    const out = cell();
    expect(call('xpu_stream_create', ['pointer'], out.address)).toBe(0);
    streams.push(out.u64[0]!);
    return out.u64[0]!;
  };
  const streams: bigint[] = [];
  const allocate = (bytes: number): bigint => {
    const out = cell();
    expect(call('xpu_malloc', ['pointer', 'i64', 'i32'], out.address, bytes, 0)).toBe(0);
    return out.u64[0]!;
  };
  const copy = (to: bigint, from: bigint, bytes: number, kind: number): number => call('xpu_memcpy', ['pointer', 'pointer', 'i64', 'i32'], to, from, bytes, kind);
  const filled = (): bigint => {
    const address = allocate(BYTES);
    expect(copy(address, new HostMemory(native, BYTES).address, BYTES, 1)).toBe(0);
    return address;
  };
  const wait = (on: bigint): number => call('xpu_wait', ['pointer'], on);
  const configure = (on: bigint, clusters = 1): number => call('xpu_launch_config', ['i32', 'i32', 'pointer'], clusters, 64, on);
  const give = (value: bigint, offset: number, bytes = 8): number =>
    call('xpu_launch_argument_set', ['pointer', 'i64', 'i64'], HostMemory.words(native, [value]).address, bytes, offset);

  const kept: HostMemory[] = [];
  /** The record of a kernel. */
  function recordOf(bytes: Uint8Array = code, name = 'add_one', hash = 7n): bigint {
    const image = new HostMemory(native, bytes.byteLength);
    image.bytes.set(bytes);
    const symbol = HostMemory.string(native, name);
    const record = new HostMemory(native, 64);
    const { codeAt, codeBytesAt, hashAt, nameAt } = kunlunTable.record;
    const view = new DataView(record.bytes.buffer);
    view.setBigUint64(codeAt, image.address, true);
    view.setUint32(codeBytesAt, bytes.byteLength, true);
    view.setBigUint64(hashAt, hash, true);
    view.setBigUint64(nameAt, symbol.address, true);
    kept.push(image, symbol, record);
    return record.address;
  }
  const launch = (record: bigint): number => call('xpu_launch_async', ['pointer'], record);
  function run(on: bigint, x: bigint, y: bigint, record = recordOf()): number {
    expect([give(x, 0), give(y, 8), configure(on)]).toEqual([0, 0, 0]);
    return launch(record);
  }

  afterEach(() => {
    delete process.env['ANYCHIP_FAULT'];
    // A fault is over when nobody uses the device any more.
    for (const handle of streams.splice(0)) call('xpu_stream_destroy', ['pointer'], handle);
  });

  it('launches a kernel from a record', () => {
    const [on, x, y] = [stream(), filled(), allocate(BYTES)];
    expect(run(on, x, y)).toBe(0);
    expect(wait(on)).toBe(0);
    const output = new HostMemory(native, BYTES);
    expect(copy(output.address, y, BYTES, 0)).toBe(0);
    expect([...new Float32Array(output.bytes.buffer)]).toEqual(Array.from({ length: 16 }, () => 1));
  });

  it('names what a launch lacks', () => {
    const [on, x, y] = [stream(), filled(), allocate(BYTES)];
    expect([launch(recordOf()), said()]).toEqual([INVALID_PARAM, expect.stringMatching(/missing order: a launch without its shape/)]);
    expect([give(x, 4), said()]).toEqual([INVALID_PARAM, expect.stringMatching(/misaligned: an argument of 8 bytes at 4/)]);
    expect([give(x, 2, 4), said()]).toEqual([INVALID_PARAM, expect.stringMatching(/misaligned: an argument of 4 bytes at 2/)]);
    expect([configure(on, 256), said()]).toEqual([INVALID_PARAM, expect.stringMatching(/limit of the chip: 256 clusters/)]);
    expect(configure(on)).toBe(0);
    expect([give(x, 0), said()]).toEqual([INVALID_PARAM, expect.stringMatching(/missing order: an argument after the shape of the launch/)]);
    expect([launch(recordOf()), said()]).toEqual([INVALID_PARAM, expect.stringMatching(/takes 16 bytes of arguments, not 0/)]);
    expect([run(on, x, y, recordOf(new Uint8Array(0))), said()]).toEqual([NOXPUFUNC, expect.stringMatching(/no record of a kernel/)]);
    expect([run(on, x, y, recordOf(code, 'add_two', 8n)), said()]).toEqual([NOXPUFUNC, expect.stringMatching(/no kernel add_two/)]);
  });

  it('takes code by its hash, and only for its own architecture', async () => {
    const [on, x, y] = [stream(), filled(), allocate(BYTES)];
    expect([run(on, x, y), wait(on)]).toEqual([0, 0]);
    const other = await compiler.compile(KERNEL.replace('1.0f', '2.0f'), 'xpu2');
    expect([run(on, x, y, recordOf(other)), said()]).toEqual([NOXPUFUNC, expect.stringMatching(/hash of other code/)]);
    const later = await compiler.compile(KERNEL, 'xpu3');
    expect([run(on, x, y, recordOf(later, 'add_one', 9n)), said()]).toEqual([NOXPUFUNC, expect.stringMatching(/the program is for xpu3, the chip is xpu2/)]);
  });

  it('copies at once, so that whoever does not wait is told', () => {
    const [on, x, y] = [stream(), filled(), allocate(BYTES)];
    expect(run(on, x, y)).toBe(0);
    const output = new HostMemory(native, BYTES);
    expect([copy(output.address, y, BYTES, 0), said()]).toEqual([KEXCEPTION, expect.stringMatching(/missing order: a copy while stream .* has work that nobody waited for/)]);
    expect([wait(on), copy(output.address, y, BYTES, 0)]).toEqual([0, 0]);
  });

  it('keeps memory apart', () => {
    const [on, x, y] = [stream(), filled(), allocate(BYTES)];
    const output = new HostMemory(native, 2 * BYTES);
    expect([copy(output.address, y, BYTES, 0), said()]).toEqual([KEXCEPTION, expect.stringMatching(/never-written/)]);
    expect([copy(output.address, x, 2 * BYTES, 0), said()]).toEqual([KEXCEPTION, expect.stringMatching(/out of bounds/)]);
    expect([copy(x, y, BYTES, 1), said()]).toEqual([INVALID_PARAM, expect.stringMatching(/host memory: .*one side is not where the call says/)]);
    expect(call('xpu_free', ['pointer'], y)).toBe(0);
    expect([call('xpu_free', ['pointer'], y), said()]).toEqual([INVALID_PARAM, expect.stringMatching(/use after free: .*freed a second time/)]);
    expect(run(on, x, y)).toBe(0);
    expect([wait(on), said()]).toEqual([KEXCEPTION, expect.stringMatching(/use after free: kernel add_one, core 0: writes/)]);
    expect([call('xpu_malloc', ['pointer', 'i64', 'i32'], cell().address, 64, 0), wait(on)]).toEqual([KEXCEPTION, KEXCEPTION]);
  });

  it('holds no more than its memory, and streams that are alive', () => {
    const on = stream();
    expect([call('xpu_malloc', ['pointer', 'i64', 'i32'], cell().address, 17 * 2 ** 30, 0), said()]).toEqual([
      NOMEM,
      expect.stringMatching(/limit of the chip: 18253611008 bytes do not fit/),
    ]);
    call('xpu_stream_destroy', ['pointer'], streams.pop()!);
    expect([wait(on), said()]).toEqual([USEAFCLOSE, expect.stringMatching(/use after free: stream/)]);
  });

  it('fails on purpose', () => {
    const [on, x, y] = [stream(), filled(), allocate(BYTES)];
    process.env['ANYCHIP_FAULT'] = 'malloc:1,launch:2';
    expect([call('xpu_malloc', ['pointer', 'i64', 'i32'], cell().address, 64, 0), said()]).toEqual([NOMEM, expect.stringMatching(/injected fault/)]);
    expect([run(on, x, y), wait(on)]).toEqual([0, 0]);
    expect([run(on, x, y), said()]).toEqual([KEXCEPTION, expect.stringMatching(/injected fault: this launch of add_one fails/)]);
  });
});

describe.skipIf(!hasCompiler)('the virtual XTDK', async () => {
  const { program } = await build('p800');
  const { args, input, link } = kunlunTable.compiler.program;
  const compileWith = async (changed: readonly string[], text = KERNEL): Promise<Uint8Array> => {
    const command = {
      name: basename(program!),
      folders: [dirname(program!)],
      args: () => changed,
      input,
      link: (architecture: string) => ({ args: link(architecture, '.').args }),
    };
    return (await findCompiler({ title: 'XTDK', install: '', program: command })).compile(text, 'xpu3');
  };

  it.each([
    ['an option that it has not', [...args('xpu3', '', '/xtdk/bin'), '--xpu-fast'], KERNEL, /--xpu-fast: an option that the virtual compiler does not know/],
    ['code for the host too', args('xpu3', '', '/xtdk/bin').filter((option) => option !== '--xpu-device-only'), KERNEL, /for the device alone/],
    ['no architecture', args('xpu3', '', '/xtdk/bin').slice(1), KERNEL, /an architecture, an output and a file/],
    ['two kernels in a unit', args('xpu3', '', '/xtdk/bin'), `${KERNEL}extern "C" __global__ void other() {}\n`, /2 kernels in a unit, which has to have one/],
    ['what is not XPU C++', args('xpu3', '', '/xtdk/bin'), KERNEL.replace('LM2GM(', 'LM2SM('), /LM2SM/],
  ])('refuses %s', async (_, options, text, message) => {
    await expect(compileWith(options, text)).rejects.toThrow(message);
  });
});
