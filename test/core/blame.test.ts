// Errors of programs name the kernel they came from, and the nodes behind it.
import { expect, it } from 'vitest';
import { blameKernel } from '../../src/core/blame.ts';
import { AnychipError } from '../../src/core/error.ts';

const calls = [
  { kernel: 'conv_1', nodes: ['Conv a', 'Relu b'], writeBytes: 8 },
  { kernel: 'reduce_12', nodes: ['Softmax s', 'Add 1', 'Add 2', 'Add 3', 'Add 4'], writeBytes: 64 },
];

it('by the number of the call, by its name in a message or a log, else by the largest', () => {
  const path = (error: unknown): string => blameKernel(error, calls).path.join(' → ');
  expect(path(new AnychipError('device', 'it broke', { facts: { call: 0 } }))).toBe('kernel conv_1 (Conv a, Relu b)');
  expect(path(new AnychipError('device', "in function 'k3_conv_1_steps': no"))).toBe('kernel conv_1 (Conv a, Relu b)');
  expect(path(new AnychipError('device', 'it broke', { facts: { log: 'x.cl:4: reduce_12: no registers left' } }))).toMatch(/^kernel reduce_12 /);
  // conv_12 is another kernel.
  expect(path(new AnychipError('device', 'conv_12 broke'))).toBe('program of 2 kernels, the largest reduce_12 (Softmax s, Add 1, Add 2, Add 3, … 5 nodes)');
  expect(path(new AnychipError('limit', 'no memory', { path: ['memory for weights'] }))).toMatch(/^program of 2 kernels.* → memory for weights$/);
});

it('keeps code, facts and hint, and makes errors of ours of all others', () => {
  expect(blameKernel(new AnychipError('limit', 'no memory', { hint: 'Use less.', facts: { bytes: 3 } }), calls)).toMatchObject({
    code: 'limit',
    hint: 'Use less.',
    facts: { bytes: 3 },
  });
  const cause = new RangeError('trap');
  expect(blameKernel(cause, [])).toMatchObject({ code: 'device', reason: 'the device failed: trap', cause, path: ['program without kernels'] });
});
