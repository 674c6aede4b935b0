// How Node waits for a GPU. Dawn asks in every turn of the event loop whether there is news, which keeps one processor busy with asking: the
// very processors that compile shaders, and compute where the GPU is software. So the turns of a long wait are held up by naps.

/** A nap lasts no longer than this part of what the wait has lasted so far, and than so many milliseconds. */
const NAP_SHARE = 1 / 20;
const LONGEST_NAP_MILLIS = 2;

const never = new Int32Array(new SharedArrayBuffer(4));
let waits = 0;
let since = 0;
let isTurning = false;

function turn(): void {
  isTurning = waits > 0;
  if (!isTurning) return;
  Atomics.wait(never, 0, 0, Math.min((performance.now() - since) * NAP_SHARE, LONGEST_NAP_MILLIS));
  setImmediate(turn);
}

/** `work`, with naps while it goes on. */
export async function withNaps<T>(work: Promise<T>): Promise<T> {
  if (waits++ === 0) since = performance.now();
  if (!isTurning) {
    isTurning = true;
    setImmediate(turn);
  }
  try {
    return await work;
  } finally {
    waits--;
  }
}
