// Where the nodes of a model ran, and how many bytes passed between the device and the host for it: a log that runs write and faces read.
// It must not know how anything runs.
import { subgraphsOf, titleOf } from '../graph/graph.ts';
import type { Graph, HostValue, Node } from '../graph/graph.ts';
import { hostBytes, visitData } from '../reference/liveData.ts';

/** A node that ran on the host. */
export interface HostNode {
  readonly op: string;
  readonly name: string;
  readonly reason: string;
  /** Bytes of its inputs. */
  readonly bytes: number;
}

/** Nodes of the model by where they ran; those computed while compiling, and those that no output needs, are in neither number. */
export interface Placement {
  readonly device: number;
  readonly host: number;
  /**
   * Bytes of values that passed from the device to host nodes and back, the model's own inputs and outputs left aside. A device that
   * works in the host's memory hands them over where they lie.
   */
  readonly bytesMoved: number;
}

export class PlacementLog {
  readonly #onDevice = new Set<string>();
  readonly #hosted = new Map<string, HostNode>();
  /** Data that steps made, and whether the host has seen it. */
  readonly #made = new WeakMap<object, 'device' | 'host'>();
  #bytesMoved = 0;

  get hostNodes(): readonly HostNode[] {
    return [...this.#hosted.values()];
  }

  /** A device program ran; `nodes` are titles. */
  ranOnDevice(nodes: readonly string[], inputs: readonly HostValue[], outputs: readonly HostValue[]): void {
    for (const title of nodes) this.#onDevice.add(title);
    for (const value of inputs) this.#send(value);
    for (const value of outputs) visitData(value, (data) => void this.#made.set(data, 'device'));
  }

  ranOnHost(node: Node, reason: string, inputs: readonly HostValue[], outputs: readonly HostValue[]): void {
    const bytes = inputs.reduce((sum, value) => sum + hostBytes(value), 0);
    this.#hosted.set(titleOf(node), { op: node.op, name: node.name, reason, bytes });
    const given = new Set<object>();
    for (const value of inputs) {
      this.#fetch(value);
      visitData(value, (data) => void given.add(data));
    }
    // What a node passes on was not made by it.
    for (const value of outputs) visitData(value, (data) => void (given.has(data) || this.#made.has(data) || this.#made.set(data, 'host')));
  }

  /** Outputs of the model are the caller's: fed to a later run, they are inputs like any other. */
  handOver(outputs: readonly HostValue[]): void {
    for (const value of outputs) visitData(value, (data) => void this.#made.delete(data));
  }

  /** The host reads a value: what the device made comes over, once. */
  #fetch(value: HostValue): void {
    visitData(value, (data, bytes) => {
      if (this.#made.get(data) !== 'device') return;
      this.#bytesMoved += bytes;
      this.#made.set(data, 'host');
    });
  }

  /** The device reads a value: it goes there from the host, and what another program made came to the host before. */
  #send(value: HostValue): void {
    this.#fetch(value);
    visitData(value, (data, bytes) => {
      if (this.#made.has(data)) this.#bytesMoved += bytes;
    });
  }

  /** Of the nodes of `graph`; one with bodies counts once, on the device if any node of a body ran there and it was not itself on the host. */
  placementOf(graph: Graph): Placement {
    const isHosted = (node: Node): boolean => this.#hosted.has(titleOf(node));
    const isOnDevice = (node: Node): boolean => this.#onDevice.has(titleOf(node)) || subgraphsOf(node).some((body) => body.nodes.some(isOnDevice));
    return {
      device: graph.nodes.filter((node) => !isHosted(node) && isOnDevice(node)).length,
      host: graph.nodes.filter(isHosted).length,
      bytesMoved: this.#bytesMoved,
    };
  }
}
