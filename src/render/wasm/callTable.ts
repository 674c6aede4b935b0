// What a module and whoever runs it agree on: the size of its memory, and the section that says what its calls are.

/** The most a memory may hold: 4 GiB less a page, so that sizes fit in 32 bits. */
export const MAX_PAGES = 65_535;

/** Name of the section that says what the calls are: a JSON of `CallTable`. */
export const CALLS_SECTION = 'anychip.calls';

/** For each call of the module, init calls first: its grid steps, and the nanoseconds one thread needs, roughly. */
export interface CallTable {
  readonly init: number;
  readonly steps: readonly number[];
  readonly nanos: readonly number[];
}
