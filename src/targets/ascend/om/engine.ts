// Ascend's own compiler of whole models, beside kernels of ours: each device program is given to atc as a file of ONNX, and runs as the
// offline model that it makes.
import { AnychipError } from '../../../core/error.ts';
import { DriverDevice } from '../../../driver/device.ts';
import { findMachine, useMachine } from '../../../driver/machine.ts';
import type { FoundMachine } from '../../../driver/machine.ts';
import type { DriverTable } from '../../../driver/table.ts';
import { whyMissing } from '../../../driver/target.ts';
import { CompileCache } from '../../../runtime/compileCache.ts';
import type { Availability, ModelEngine } from '../../../runtime/device.ts';
import { ascendLeast } from '../facts.ts';
import { AtcCompiler, findAtc } from './compiler.ts';
import type { Atc } from './compiler.ts';
import { DEFAULT_SOC, omCapabilities, omTable } from './facts.ts';
import { createOmLoader } from './program.ts';
import { omVirtualChips } from './virtual.ts';

const EVIDENCE = 'E0';

export interface OmOptions {
  readonly cache?: CompileCache;
  readonly table?: DriverTable;
  readonly find?: () => Promise<Atc>;
  readonly ordinal?: number;
}

export function createOmEngine(options: OmOptions = {}): ModelEngine {
  const { cache = new CompileCache(), table = omTable, find = findAtc, ordinal = 0 } = options;
  let opened: Promise<FoundMachine> | undefined;
  let found: FoundMachine | undefined;
  const machine = async (): Promise<FoundMachine> => (found = await (opened ??= findMachine(table, ordinal, ascendLeast)));
  /** Of the chip that is here, else of the one to compile for. */
  const soc = async (): Promise<string> => {
    try {
      const { driver, device } = await machine();
      return driver.deviceName(device) ?? DEFAULT_SOC;
    } catch (error) {
      if (!(error instanceof AnychipError)) throw error;
      return process.env['ANYCHIP_ASCEND_SOC'] ?? DEFAULT_SOC;
    }
  };
  const probe = async (): Promise<Availability> => {
    try {
      const { memoryBytes } = await machine();
      await find();
      return { ok: true, detail: `${await soc()}, models compiled by atc`, memoryBytes };
    } catch (error) {
      return whyMissing(error, table, found !== undefined);
    }
  };
  return {
    name: ordinal === 0 ? 'ascend:om' : `ascend:om:${ordinal}`,
    evidence: EVIDENCE,
    // Below kernels of ours: a model takes minutes to compile here.
    rank: 180,
    probe,
    get capabilities() {
      return omCapabilities(found?.memoryBytes ?? ascendLeast.memoryBytes);
    },
    at: (other) => createOmEngine({ ...options, ordinal: other }),
    virtual: omVirtualChips(cache, EVIDENCE, createOmEngine),
    createCompiler: () => new AtcCompiler(cache, find, soc),
    openDevice: async () => new DriverDevice(useMachine(await machine()), createOmLoader(await soc())),
  };
}
