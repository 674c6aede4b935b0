// A model on an opened device. A device that was lost is opened anew for the next run, and what was compiled for it is loaded again. It must
// not know which device it is.
import { trace } from '../core/trace.ts';
import type { Graph, HostValue, Value } from '../graph/graph.ts';
import type { ExecutionPlan } from '../plan.ts';
import type { Device } from '../runtime/device.ts';
import { GraphRunner } from './graphRunner.ts';
import { ModelRunner } from './modelRunner.ts';
import type { ModelContext } from './modelRunner.ts';
import type { Destinations } from './planRunner.ts';

interface Opened {
  readonly device: Device;
  readonly context: ModelContext;
  readonly runner: ModelRunner;
}

export class DeviceRunner {
  readonly #open: () => Promise<Opened>;
  #opened: Opened;
  /** While a lost device is being opened anew: runs that start together wait for the same one. */
  #reopening: Promise<void> | undefined;

  private constructor(open: () => Promise<Opened>, opened: Opened) {
    this.#open = open;
    this.#opened = opened;
  }

  static async open(graph: Graph, context: Omit<ModelContext, 'device'>, openDevice: () => Promise<Device>): Promise<DeviceRunner> {
    const open = async (): Promise<Opened> => {
      const device = await openDevice();
      const opened = { ...context, device };
      return { device, context: opened, runner: new ModelRunner(graph, opened) };
    };
    return new DeviceRunner(open, await open());
  }

  get plans(): readonly ExecutionPlan[] {
    return this.#opened.runner.plans;
  }

  /** The runner on a device that works, as far as the device can tell. */
  async ready(): Promise<ModelRunner> {
    if (this.#opened.device.isLost === true) {
      this.#reopening ??= this.#replace(this.#opened).finally(() => void (this.#reopening = undefined));
      await this.#reopening;
    }
    return this.#opened.runner;
  }

  async run(feeds: ReadonlyMap<Value, HostValue>, into: Destinations = []): Promise<readonly HostValue[]> {
    return (await this.ready()).run(feeds, into);
  }

  /** Runs another graph on the same device, as it is, and lets go of it. */
  async runOnce(graph: Graph, inputs: readonly HostValue[]): Promise<readonly HostValue[]> {
    await this.ready();
    const runner = new GraphRunner(graph, this.#opened.context);
    try {
      return await runner.run(inputs);
    } finally {
      await runner.dispose();
    }
  }

  /** Compiles anew from now on. */
  async renew(): Promise<void> {
    await this.#opened.runner.renew();
  }

  async #replace(lost: Opened): Promise<void> {
    trace(1, () => ({ kind: 'placement', message: 'the device was lost and is opened anew' }));
    this.#opened = await this.#open();
    // What a lost device held is gone with it: that it cannot be freed is no news.
    await close(lost).catch((error: unknown) => trace(1, () => ({ kind: 'placement', message: `of the lost device: ${String(error)}` })));
  }

  dispose(): Promise<void> {
    return close(this.#opened);
  }
}

async function close({ device, runner }: Opened): Promise<void> {
  try {
    await runner.dispose();
  } finally {
    device.dispose();
  }
}
