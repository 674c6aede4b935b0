// Ascend in PTO on Huawei's own simulator of cores (the headers of pto-isa with __CPU_SIM): everything is the target's but bisheng, in whose
// place the C++ compiler of this machine stands, and ACL, which is driver.cpp.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Target } from '../../../src/runtime/device.ts';
import { findHostCompiler } from '../../../src/runtime/hostCompiler.ts';
import { ascendTable } from '../../../src/targets/ascend/driver.ts';
import { createPtoTarget } from '../../../src/targets/ascend/pto.ts';

const DRIVER = fileURLToPath(new URL('driver.cpp', import.meta.url));
/** Headers of reductions to indices, which no kernel asks for, are left out: compilers before C++23 refuse them. */
const FLAGS = ['-std=c++20', '-D__CPU_SIM', '-DTCOLREDUCEIDX_CPU_HPP', '-O1', '-w', '-fPIC', '-ffp-contract=off', '-shared'];
/** The simulator's memory of cores, which kernels take addresses of; versions before March 2026 have none. */
const NEEDED = 'pto/cpu/NPUMemoryModel.hpp';

export interface Simulator {
  readonly target: Target;
  readonly dispose: () => void;
}

/** The target, or the reason why there is none. */
export async function openSimulator(): Promise<Simulator | { readonly missing: string }> {
  const include = process.env['ANYCHIP_PTO_INCLUDE'];
  if (include === undefined || include === '') return { missing: 'ANYCHIP_PTO_INCLUDE does not name the include folder of pto-isa' };
  if (!existsSync(join(include, NEEDED))) return { missing: `${include} has no ${NEEDED}` };
  const [program, ...first] = (await findHostCompiler()).command;
  const folder = mkdtempSync(join(tmpdir(), 'anychip-pto-'));
  const library = join(folder, 'libdriver.so');
  const source = join(folder, 'empty.cpp');
  writeFileSync(source, '#include <cstdint>\n#include <pto/pto-inst.hpp>\n');
  const flags = [...first, ...FLAGS, `-I${include}`];
  try {
    execFileSync(program!, [...flags, '-o', join(folder, 'empty.so'), source], { stdio: 'pipe' });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    return { missing: `${program} does not take the headers of PTO: ${String(error).split('\n')[1] ?? ''}` };
  }
  execFileSync(program!, [...first, '-std=c++17', '-O1', '-fPIC', '-shared', '-o', library, DRIVER, '-ldl']);
  const compiler = { title: 'the simulator of PTO', install: '', program: { name: program!, folders: [], args: () => flags, input: 'kernels.cpp' } };
  const table = { ...ascendTable, title: 'Ascend on the simulator of PTO', libraries: { other: [library] }, compiler };
  return { target: createPtoTarget({ table, evidence: 'E3' }), dispose: () => rmSync(folder, { recursive: true, force: true }) };
}
