// The part of WebGPU that this target calls, as interfaces: the W3C's names and numbers (gpuweb.github.io/gpuweb), whoever implements them.

export interface GpuBuffer {
  mapAsync(mode: number, offset: number, size: number): Promise<unknown>;
  getMappedRange(offset: number, size: number): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

export interface GpuBindGroup {
  readonly label: string;
}
export interface GpuPipeline {
  getBindGroupLayout(index: number): object;
}
export interface GpuShaderModule {
  getCompilationInfo(): Promise<{ readonly messages: Iterable<{ readonly type: string; readonly message: string; readonly lineNum: number }> }>;
}
export interface GpuQuerySet {
  destroy(): void;
}
export interface GpuComputePass {
  setPipeline(pipeline: GpuPipeline): void;
  setBindGroup(index: number, group: GpuBindGroup): void;
  dispatchWorkgroups(x: number, y: number): void;
  end(): void;
}
interface GpuCommandBuffer {
  readonly label: string;
}
export interface GpuEncoder {
  beginComputePass(descriptor?: {
    readonly timestampWrites?: { readonly querySet: GpuQuerySet; readonly beginningOfPassWriteIndex: number; readonly endOfPassWriteIndex: number };
  }): GpuComputePass;
  copyBufferToBuffer(source: GpuBuffer, sourceOffset: number, target: GpuBuffer, targetOffset: number, bytes: number): void;
  resolveQuerySet(set: GpuQuerySet, first: number, count: number, target: GpuBuffer, offset: number): void;
  finish(): GpuCommandBuffer;
}

interface GpuError {
  readonly message: string;
}
export type GpuErrorFilter = 'validation' | 'out-of-memory' | 'internal';

export interface GpuDevice {
  readonly queue: { writeBuffer(target: GpuBuffer, offset: number, data: Uint8Array): void; submit(buffers: readonly GpuCommandBuffer[]): void };
  readonly lost: Promise<{ readonly message: string }>;
  createBuffer(descriptor: { readonly size: number; readonly usage: number }): GpuBuffer;
  createShaderModule(descriptor: { readonly code: string }): GpuShaderModule;
  createComputePipelineAsync(descriptor: { readonly layout: 'auto'; readonly compute: { readonly module: GpuShaderModule; readonly entryPoint: string } }): Promise<GpuPipeline>;
  createBindGroup(descriptor: {
    readonly layout: object;
    readonly entries: readonly { readonly binding: number; readonly resource: { readonly buffer: GpuBuffer; readonly offset?: number; readonly size?: number } }[];
  }): GpuBindGroup;
  createQuerySet(descriptor: { readonly type: 'timestamp'; readonly count: number }): GpuQuerySet;
  createCommandEncoder(): GpuEncoder;
  pushErrorScope(filter: GpuErrorFilter): void;
  popErrorScope(): Promise<GpuError | null>;
  destroy(): void;
}

export interface GpuLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupSizeX: number;
  readonly minUniformBufferOffsetAlignment: number;
}

export interface GpuAdapter {
  readonly features: ReadonlySet<string>;
  readonly limits: GpuLimits;
  readonly info: {
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    readonly description: string;
    readonly isFallbackAdapter?: boolean;
    readonly subgroupMinSize?: number;
    readonly subgroupMaxSize?: number;
  };
  requestDevice(descriptor: { readonly requiredFeatures: readonly string[]; readonly requiredLimits: Readonly<Record<string, number>> }): Promise<GpuDevice>;
}

export interface Gpu {
  requestAdapter(options?: { readonly powerPreference?: 'high-performance' }): Promise<GpuAdapter | null>;
}

/** Where WebGPU comes from: what there is, or why there is nothing (a 'device' error). */
export type OpenGpu = () => Promise<Gpu>;

/** Waits for what the GPU does, in the way that suits the place: the work itself, or with something going on meanwhile. */
export type WaitForGpu = <T>(work: Promise<T>) => Promise<T>;

export const usage = { mapRead: 1, copySource: 4, copyTarget: 8, uniform: 0x40, storage: 0x80, queryResolve: 0x200 } as const;
export const MAP_READ = 1;
export const TIMESTAMPS = 'timestamp-query';
export const SUBGROUPS = 'subgroups';
