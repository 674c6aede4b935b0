// What the process and machine around can tell, where there is a process: a browser's page has neither variables nor a size of memory.
// The one place in rooms that run everywhere that asks.

const { process } = globalThis;
const variables: Readonly<Record<string, string | undefined>> = process?.env ?? {};

/** An environment variable; undefined where it is not set, or there are none. */
export const environmentVariable = (name: string): string | undefined => variables[name];

/** Bytes of memory of this machine; undefined where nothing tells. */
export const machineMemoryBytes: number | undefined = process?.getBuiltinModule?.('node:os').totalmem();
