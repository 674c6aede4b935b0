// From a compiled module to the function that runs its calls, and the table that says what they are.
import { AnychipError } from '../../core/error.ts';
import { CALLS_SECTION } from '../../render/wasm/callTable.ts';
import type { CallTable } from '../../render/wasm/callTable.ts';
import type { Calls } from './team.ts';
import { webAssembly } from './webAssembly.ts';
import type { Memory, Module } from './webAssembly.ts';

const broken = (): AnychipError => new AnychipError('bad-file', 'the program is no module of anychip', { hint: 'Compile the model again.' });

export function instantiate(module: Module, memory: Memory): Calls {
  if (webAssembly === undefined) throw new AnychipError('device', 'this engine has no WebAssembly');
  const { calls } = new webAssembly.Instance(module, { env: { memory } }).exports;
  if (calls === undefined) throw broken();
  return calls;
}

const isCounts = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every((x) => Number.isInteger(x) && x >= 0);

/** Throws 'bad-file' where the module does not say what its calls are. */
export function callTableOf(module: Module): CallTable {
  const section = webAssembly?.Module.customSections(module, CALLS_SECTION)[0];
  if (section === undefined) throw broken();
  const table: unknown = JSON.parse(new TextDecoder().decode(section));
  if (typeof table !== 'object' || table === null || !('init' in table) || !('steps' in table) || !('nanos' in table)) throw broken();
  const { init, steps, nanos } = table;
  if (typeof init !== 'number' || !isCounts(steps) || !isCounts(nanos) || steps.length !== nanos.length || init > steps.length) throw broken();
  return { init, steps, nanos };
}
