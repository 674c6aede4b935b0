// The model interface of ACL, bound like a driver's row: names and signatures from its public headers (acl_mdl.h, acl_base_mdl.h, CANN 8).
import { AnychipError } from '../../../core/error.ts';
import type { Driver } from '../../../driver/driver.ts';
import { BoundLibrary, openFirst } from '../../../driver/library.ts';
import type { NativeArg } from '../../../driver/library.ts';
import { fn, text } from '../../../driver/table.ts';
import type { OperandType, Spelling } from '../../../driver/table.ts';

const modelCalls = {
  load: { image: 'pointer', bytes: 'size', out: 'pointer' },
  unload: { model: 'u32' },
  createDescription: {},
  describe: { description: 'pointer', model: 'u32' },
  destroyDescription: { description: 'pointer' },
  countInputs: { description: 'pointer' },
  countOutputs: { description: 'pointer' },
  inputIndex: { description: 'pointer', name: 'pointer', out: 'pointer' },
  inputBytes: { description: 'pointer', index: 'size' },
  outputBytes: { description: 'pointer', index: 'size' },
  createDataset: {},
  destroyDataset: { dataset: 'pointer' },
  createBuffer: { address: 'pointer', bytes: 'size' },
  destroyBuffer: { buffer: 'pointer' },
  addBuffer: { dataset: 'pointer', buffer: 'pointer' },
  execute: { model: 'u32', inputs: 'pointer', outputs: 'pointer', stream: 'pointer' },
} as const satisfies Record<string, Readonly<Record<string, OperandType>>>;
type ModelCall = keyof typeof modelCalls;

/** `text` stands for every answer that is an address. */
const spellings: Readonly<Record<ModelCall, Spelling>> = {
  load: fn<string>('aclmdlLoadFromMem', 'image', 'bytes', 'out'),
  unload: fn<string>('aclmdlUnload', 'model'),
  createDescription: text('aclmdlCreateDesc'),
  describe: fn<string>('aclmdlGetDesc', 'description', 'model'),
  destroyDescription: fn<string>('aclmdlDestroyDesc', 'description'),
  countInputs: fn<string>('aclmdlGetNumInputs', 'description'),
  countOutputs: fn<string>('aclmdlGetNumOutputs', 'description'),
  inputIndex: fn<string>('aclmdlGetInputIndexByName', 'description', 'name', 'out'),
  inputBytes: fn<string>('aclmdlGetInputSizeByIndex', 'description', 'index'),
  outputBytes: fn<string>('aclmdlGetOutputSizeByIndex', 'description', 'index'),
  createDataset: text('aclmdlCreateDataset'),
  destroyDataset: fn<string>('aclmdlDestroyDataset', 'dataset'),
  createBuffer: text<string>('aclCreateDataBuffer', 'address', 'bytes'),
  destroyBuffer: fn<string>('aclDestroyDataBuffer', 'buffer'),
  addBuffer: fn<string>('aclmdlAddDatasetBuffer', 'dataset', 'buffer'),
  execute: fn<string>('aclmdlExecuteAsync', 'model', 'inputs', 'outputs', 'stream'),
};

type Operands<C extends ModelCall> = Readonly<Record<keyof (typeof modelCalls)[C], NativeArg>>;

export class ModelLibrary {
  readonly #driver: Driver;
  readonly #library: BoundLibrary<ModelCall>;

  constructor(driver: Driver) {
    const { title, libraries, install } = driver.table;
    this.#driver = driver;
    this.#library = new BoundLibrary(driver.native, openFirst(driver.native, `the model runtime of ${title}`, libraries, install), modelCalls, spellings);
  }

  /** Throws an error that names what went wrong and what to do. */
  call<C extends ModelCall>(call: C, operands: Operands<C>): void {
    const status = Number(this.#library.call(call, operands));
    if (status !== 0) throw this.#driver.failureOf(spellings[call].symbol, status);
  }

  /** A number that is no status. */
  number<C extends ModelCall>(call: C, operands: Operands<C>): number {
    return Number(this.#library.call(call, operands)) >>> 0;
  }

  /** A thing that the call makes. */
  create<C extends ModelCall>(call: C, operands: Operands<C>): bigint {
    const address = BigInt(this.#library.call(call, operands));
    if (address === 0n) throw new AnychipError('limit', `${spellings[call].symbol} made nothing`, { hint: 'The host may be out of memory.' });
    return address;
  }
}
