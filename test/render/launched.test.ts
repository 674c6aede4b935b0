// What drivers are given to launch: the text of small kernels in each language, and that everything random graphs need has a text.
import { describe, expect, it } from 'vitest';
import { createBuilder } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { LaunchedRenderer } from '../../src/render/c/launched.ts';
import { ClCoreRenderer } from '../../src/render/cl/coreRenderer.ts';
import { clLanguage } from '../../src/render/cl/language.ts';
import { cudaLanguage } from '../../src/render/cuda/language.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { cudaLeast } from '../../src/targets/cuda/facts.ts';
import { createCapabilities, createSimtCapabilities } from '../kernel/machine.ts';
import { randomGraph } from '../schedule/randomGraph.ts';

const [cl, cuda] = [new LaunchedRenderer(clLanguage), new LaunchedRenderer(cudaLanguage)];

function rowSums(shuffleThreads: number) {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype: 'f32', shape: [3, 64] }, 'x');
  return scheduleGraph(b.finish('sums', [x], [b.reduce('sum', b.mul(x, x), [1])]), createSimtCapabilities({ shuffleThreads })).module;
}
/** One fragment a subgroup, two steps. */
function smallMatrixProduct() {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype: 'f16', shape: [16, 64] }, 'x');
  const y = b.input({ dtype: 'f16', shape: [64, 32] }, 'y');
  const bias = b.input({ dtype: 'f32', shape: [32] }, 'bias');
  const graph = b.finish('product', [x, y, bias], [b.add(b.matmul(x, y, 'f32'), bias)]);
  return scheduleGraph(graph, createSimtCapabilities({ units: 1, maxThreads: 64, matrixUnits: cudaLeast.matrixUnitsOf('sm_80') })).module;
}
const kernelOf = (text: string): string => text.slice(text.indexOf('k0_'));

describe('a row that threads share', () => {
  it('in OpenCL C', () => {
    expect(kernelOf(cl.renderKernel(rowSums(1), 0))).toMatchInlineSnapshot(`
      "k0_reduce_0(__global char *b0_at, const long b0_offset, __global char *b1_at, const long b1_offset) {
        __global const float *restrict b0 = (__global const float *)(b0_at + b0_offset);
        __global float *restrict b1 = (__global float *)(b1_at + b1_offset);
        __local float s0[16];
        const int g = get_group_id(0);
        const int t = get_local_id(0);
        float a0 = 0.0f;
        int t0 = g * 64;
        for (int n0 = t; n0 < 64; n0 += 16) {
          float t1 = b0[(t0 + n0)];
          a0 = fma_f32(t1, t1, a0);
        }
        s0[t] = a0;
        barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
        if (t < 8) {
          float t2 = s0[t];
          float t3 = s0[(t + 8)];
          float t4 = t2 + t3;
          s0[t] = t4;
        }
        barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
        float t5 = s0[0];
        float t6 = s0[1];
        float t7 = t5 + t6;
        float t8 = s0[2];
        float t9 = t7 + t8;
        float t10 = s0[3];
        float t11 = t9 + t10;
        float t12 = s0[4];
        float t13 = t11 + t12;
        float t14 = s0[5];
        float t15 = t13 + t14;
        float t16 = s0[6];
        float t17 = t15 + t16;
        float t18 = s0[7];
        float t19 = t17 + t18;
        if (t < 1) {
          b1[g] = t19;
        }
      }
      "
    `);
  });
  it('in CUDA C', () => {
    expect(kernelOf(cuda.renderKernel(rowSums(32), 0))).toMatchInlineSnapshot(`
      "k0_reduce_0(const float *__restrict__ b0, float *__restrict__ b1) {
        const int g = blockIdx.x;
        const int t = threadIdx.x;
        float a0 = 0.0f;
        int t0 = g * 64;
        for (int n0 = t; n0 < 64; n0 += 32) {
          float t1 = b0[(t0 + n0)];
          a0 = fma_f32(t1, t1, a0);
        }
        float x0 = __shfl_xor_sync(0xffffffffu, a0, 16);
        float t2 = a0 + x0;
        float x1 = __shfl_xor_sync(0xffffffffu, t2, 8);
        float t3 = t2 + x1;
        float x2 = __shfl_xor_sync(0xffffffffu, t3, 4);
        float t4 = t3 + x2;
        float x3 = __shfl_xor_sync(0xffffffffu, t4, 2);
        float t5 = t4 + x3;
        float x4 = __shfl_xor_sync(0xffffffffu, t5, 1);
        float t6 = t5 + x4;
        if (t < 1) {
          b1[g] = t6;
        }
      }
      "
    `);
  });
});

describe('kernels for the cores of a processor', () => {
  it('are functions behind one entry, which tells them apart by number and gives them their sizes', () => {
    const b = createBuilder(createFolder());
    const inputs = [40, 56].map((n) => b.input({ dtype: 'f32', shape: [n] }, `x${n}`));
    const { module } = scheduleGraph(
      b.finish(
        'doubles',
        inputs,
        inputs.map((x) => b.add(x, x)),
      ),
      createCapabilities(),
    );
    const { units, launches } = new ClCoreRenderer().render(module);
    expect(String(units[0]).slice(String(units[0]).indexOf('static __attribute__((noinline))'))).toMatchInlineSnapshot(`
      "static __attribute__((noinline)) void k0_map_0(__global const float *restrict b0, __global float *restrict b1, char *scratch, const long g, const long size0) {
        for (long n0 = 0; n0 < size0; n0 += 8) {
          float8 t0 = vload8(0, b0 + n0);
          vstore8((t0 + t0), 0, b1 + n0);
        }
      }

      __kernel __attribute__((reqd_work_group_size(1, 1, 1)))
      void run(__global char *b0, const long o0, __global char *b1, const long o1, const long kernel_number, const long n0) {
        char scratch[1] __attribute__((aligned(64)));
        switch (kernel_number) {
          case 0: k0_map_0((__global void *)(b0 + o0), (__global void *)(b1 + o1), scratch, get_group_id(0), n0); break;
        }
      }
      "
    `);
    expect(launches!.kernels).toMatchInlineSnapshot(`
      [
        {
          "blocks": 1,
          "entry": {
            "buffers": 2,
            "numbers": [
              0,
              40,
            ],
          },
          "symbol": "run",
          "threads": 1,
        },
        {
          "blocks": 1,
          "entry": {
            "buffers": 2,
            "numbers": [
              0,
              56,
            ],
          },
          "symbol": "run",
          "threads": 1,
        },
      ]
    `);
  });
});

describe('a product on matrix units', () => {
  it('in CUDA C', async () => {
    const text = cuda.renderKernel(smallMatrixProduct(), 0);
    expect(text).toContain('matrix_multiply');
    await expect(text).toMatchFileSnapshot('golden/matrixUnit.cu');
  });
});

describe('random graphs', () => {
  it('have a text in every language, with and without vectors', () => {
    for (let seed = 0; seed < 30; seed++) {
      const { graph } = randomGraph(seed, 14);
      const scalar = scheduleGraph(graph, createSimtCapabilities()).module;
      const wide = scheduleGraph(graph, createSimtCapabilities({ vectorLanes: 8 })).module;
      for (const source of [cl.render(scalar), cl.render(wide), cuda.render(scalar)]) {
        expect(source.launches!.kernels).toHaveLength(scalar.kernels.length);
        expect(source.units).toHaveLength(1);
      }
    }
  });
});
