// Runs a compiled plan without its model: what was compiled here or elsewhere, for these shapes and this target only.
import { AnychipError } from '../core/error.ts';
import type { HostValue } from '../graph/graph.ts';
import type { ExecutionPlan } from '../plan.ts';
import type { Device } from '../runtime/device.ts';
import { bindingKey } from '../passes/binding.ts';
import type { ChooseDevice } from './choose.ts';
import { GraphRunner } from './graphRunner.ts';
import type { CompileContext } from './graphRunner.ts';
import { DEFAULT_MAX_MEMORY_BYTES } from './limits.ts';
import { PlanRunner } from './planRunner.ts';
import { PlacementLog } from './placement.ts';
import { bindingOf } from './bindings.ts';

export interface PlanOptions {
  readonly threads?: number;
  readonly maxMemoryBytes?: number;
  readonly seed?: number;
  readonly strict?: boolean;
}

export class PlanSession {
  readonly plan: ExecutionPlan;
  readonly #runner: PlanRunner;
  readonly #device: Device;

  private constructor(plan: ExecutionPlan, runner: PlanRunner, device: Device) {
    this.plan = plan;
    this.#runner = runner;
    this.#device = device;
  }

  /** Opens the plan's target and loads the plan's programs. Throws `device` when the target does not work here. */
  static async open(plan: ExecutionPlan, options: PlanOptions, choose: ChooseDevice): Promise<PlanSession> {
    const { target } = await choose([plan.target], 'load');
    if (target === undefined) throw new AnychipError('bad-file', `a plan for '${plan.target}' has nothing to load`);
    const device = await target.openDevice(options.threads === undefined ? {} : { threads: options.threads });
    const context: CompileContext = {
      target,
      device,
      maxMemoryBytes: options.maxMemoryBytes ?? DEFAULT_MAX_MEMORY_BYTES,
      seed: options.seed ?? 0,
      strict: options.strict ?? false,
      placement: new PlacementLog(),
    };
    try {
      const runner = await PlanRunner.load(plan, { ...context, createRunner: (graph, isBody) => new GraphRunner(graph, context, isBody) });
      return new PlanSession(plan, runner, device);
    } catch (error) {
      device.dispose();
      throw error instanceof AnychipError ? error.within(`a plan for ${plan.target}`) : error;
    }
  }

  /** Outputs by name. Inputs must have the shapes (and, where shapes depend on them, the values) the plan was compiled for. */
  async runValues(feeds: ReadonlyMap<string, HostValue>): Promise<Map<string, HostValue>> {
    const { plan } = this;
    const inputs = plan.inputNames.map((name, i) => {
      const value = feeds.get(name);
      if (value === undefined) throw new AnychipError('bad-argument', `input '${name}' is missing`, { hint: `Inputs: ${plan.inputNames.join(', ')}.` });
      const wanted = plan.bindings[i]!;
      const given = bindingOf(value, wanted.value !== undefined);
      if (bindingKey([given]) !== bindingKey([wanted])) {
        throw new AnychipError('bad-argument', `input '${name}' is ${bindingKey([given])}, the plan was compiled for ${bindingKey([wanted])}`, {
          hint: 'Compile a plan for these inputs.',
        });
      }
      return value;
    });
    const outputs = await this.#runner.run(inputs);
    return new Map(plan.outputNames.map((name, i) => [name, outputs[i] ?? null]));
  }

  /** Frees the device's memory; no run may be under way. */
  async release(): Promise<void> {
    await this.#runner.dispose();
    this.#device.dispose();
  }
}
