// What the process and machine around can tell, where there is a process: a browser's page has neither variables nor a size of memory.
// The one place in rooms that run everywhere that asks.

const { process, Buffer } = globalThis;
const variables: Readonly<Record<string, string | undefined>> = process?.env ?? {};

/** An environment variable; undefined where it is not set, or there are none. */
export const environmentVariable = (name: string): string | undefined => variables[name];

/** Bytes of memory of this machine; undefined where nothing tells. */
export const machineMemoryBytes: number | undefined = process?.getBuiltinModule?.('node:os').totalmem();

/** Memory that holds whatever lay there; undefined where all that is given is zeroed first. Throws where there is too little. */
export const uninitializedMemory = (bytes: number): ArrayBufferLike | undefined => Buffer?.allocUnsafeSlow(bytes).buffer;
