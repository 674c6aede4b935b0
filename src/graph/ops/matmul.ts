// Declarations of the matmul family: products of matrices, contractions by equation, attention.
import { float, int, op, required, string } from '../schema.ts';

export const matmulOps = {
  MatMul: op({ since: 1, inputs: ['A', 'B'], outputs: ['Y'], attrs: {} }),
  Gemm: op({ since: 1, inputs: ['A', 'B', 'C?'], outputs: ['Y'], attrs: { alpha: float(1), beta: float(1), transA: int(0), transB: int(0) } }),
  Einsum: op({ since: 12, inputs: ['Inputs*'], outputs: ['Output'], attrs: { equation: required('string') } }),
  Det: op({ since: 11, inputs: ['X'], outputs: ['Y'], attrs: {}, hostWhen: 'the matrices are larger than 32 × 32' }),
  Attention: op({
    since: 23,
    inputs: ['Q', 'K', 'V', 'attn_mask?', 'past_key?', 'past_value?', 'nonpad_kv_seqlen?'],
    outputs: ['Y', 'present_key?', 'present_value?', 'qk_matmul_output?'],
    attrs: {
      is_causal: int(0),
      kv_num_heads: int(),
      left_window_size: int(-1),
      q_num_heads: int(),
      qk_matmul_output_mode: int(0),
      right_window_size: int(-1),
      scale: float(),
      softcap: float(0),
      softmax_precision: int(),
    },
  }),
  LinearAttention: op({
    since: 27,
    inputs: ['query', 'key', 'value', 'past_state?', 'decay?', 'beta?'],
    outputs: ['output', 'present_state'],
    attrs: { chunk_size: int(64), kv_num_heads: required('int'), q_num_heads: required('int'), scale: float(0), update_rule: string('gated_delta') },
    hostWhen: 'there are more than 1024 steps',
  }),
  RotaryEmbedding: op({
    since: 23,
    inputs: ['X', 'cos_cache', 'sin_cache', 'position_ids?'],
    outputs: ['Y'],
    attrs: { interleaved: int(0), num_heads: int(0), rotary_embedding_dim: int(0) },
  }),
} as const;
