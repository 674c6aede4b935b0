// Ascend processors with kernels in PTO, Huawei's library of tile instructions, beside those in Ascend C: the same driver, chips and
// schedules; another language, and bisheng, CANN's compiler, as a program in place of the compiler at run time.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import type { DriverChips } from '../../driver/machine.ts';
import type { CompilerTable } from '../../driver/table.ts';
import { ptoLanguage } from '../../render/pto/language.ts';
import type { Target } from '../../runtime/device.ts';
import { ascendTable } from './driver.ts';
import { ascendChips, ascendLeast, ptoCapabilities } from './facts.ts';

/** The folder with `pto/pto-inst.hpp`, where it is not the toolkit's own. */
const includes = (): readonly string[] => {
  const folder = process.env['ANYCHIP_PTO_INCLUDE'];
  return folder === undefined || folder === '' ? [] : [`-I${folder}`];
};

/** 910B and 910_93, as bisheng spells them, and their kinds of cores. */
const ARCHITECTURE = 'dav-c220';
const KINDS = ['vec', 'cube'];
/** PTO has no instructions for the older 310P3. */
const { '310p3': _, ...chips } = ascendChips;
const known: DriverChips = Object.fromEntries(Object.entries(chips).map(([name, chip]) => [name, { ...chip, architecture: ARCHITECTURE }]));

const LLVM = [
  '-cce-aicore-stack-size=0x8000',
  '-cce-aicore-function-stack-size=0x8000',
  '-cce-aicore-record-overflow=true',
  '-cce-aicore-addr-transform',
  '-cce-aicore-dcci-insert-for-scalar=false',
];

const bisheng: CompilerTable = {
  title: 'bisheng',
  install: 'Install the CANN toolkit with the headers of PTO (or set ANYCHIP_PTO_INCLUDE to their folder), and run its set_env.sh in this shell.',
  program: {
    name: 'bisheng',
    folders: ['/usr/local/Ascend/ascend-toolkit/latest/bin', '/usr/local/Ascend/cann/bin'],
    kinds: KINDS,
    args: (architecture, kind) => [
      '-c',
      '-x',
      'cce',
      '-O2',
      '-std=c++17',
      '--cce-aicore-only',
      `--cce-aicore-arch=${architecture}-${kind}`,
      '-DMEMORY_BASE',
      ...includes(),
      ...LLVM.flatMap((option) => ['-mllvm', option]),
    ],
    input: 'kernels.cpp',
    link: () => ({
      args: ['-m', 'aicorelinux', '-Ttext=0', '-static', '-o', 'linked', ...KINDS.map((kind) => `out-${kind}`)],
      linker: { name: 'ld.lld', folders: ['/usr/local/Ascend/ascend-toolkit/latest/compiler/ccec_compiler/bin', '/usr/local/Ascend/ascend-toolkit/latest/bin'] },
    }),
  },
};

export const createPtoTarget = (options: Partial<DriverTarget> = {}): Target =>
  createDriverTarget({
    name: 'ascend:pto',
    evidence: 'E3',
    // Below Ascend C, whose compiler needs no program of its own.
    rank: 175,
    table: { ...ascendTable, compiler: bisheng },
    language: ptoLanguage,
    least: ascendLeast,
    capabilities: ptoCapabilities,
    known,
    architecture: ARCHITECTURE,
    ...options,
  });
