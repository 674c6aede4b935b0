// Declarations of control flow. Bodies are graphs; they may use Values of the graphs around them.
import { ints, op, required } from '../schema.ts';

/** Then the host walks the steps. */
const unrolled = { hostWhen: 'there are more than 64 steps; the body runs on the device all the same' } as const;

export const controlOps = {
  If: op({
    since: 1,
    inputs: ['cond'],
    outputs: ['outputs*'],
    attrs: { then_branch: required('graph'), else_branch: required('graph') },
    hostInputs: ['cond'],
  }),
  Loop: op({
    since: 1,
    inputs: ['M?', 'cond?', 'v_initial*'],
    outputs: ['v_final_and_scan_outputs*'],
    attrs: { body: required('graph') },
    hostInputs: ['M', 'cond'],
    ...unrolled,
  }),
  Scan: op({
    since: 8,
    inputs: ['initial_state_and_scan_inputs*'],
    outputs: ['final_state_and_scan_outputs*'],
    attrs: {
      body: required('graph'),
      num_scan_inputs: required('int'),
      scan_input_axes: ints(),
      scan_input_directions: ints(),
      scan_output_axes: ints(),
      scan_output_directions: ints(),
    },
    ...unrolled,
  }),
  SequenceMap: op({
    since: 17,
    inputs: ['input_sequence', 'additional_inputs*'],
    outputs: ['out_sequence*'],
    attrs: { body: required('graph') },
    hostOnly: 'a sequence is a list on the host; the body runs on the device',
  }),
} as const;
