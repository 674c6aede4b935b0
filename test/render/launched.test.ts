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

function rowSums() {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype: 'f32', shape: [3, 64] }, 'x');
  return scheduleGraph(b.finish('sums', [x], [b.reduce('sum', b.mul(x, x), [1])]), createSimtCapabilities()).module;
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
    expect(kernelOf(cl.renderKernel(rowSums(), 0))).toMatchInlineSnapshot(`
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
          s0[t] = (t2 + t3);
        }
        barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
        if (t < 4) {
          float t4 = s0[t];
          float t5 = s0[(t + 4)];
          s0[t] = (t4 + t5);
        }
        barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
        if (t < 2) {
          float t6 = s0[t];
          float t7 = s0[(t + 2)];
          s0[t] = (t6 + t7);
        }
        barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
        if (t < 1) {
          float t8 = s0[t];
          float t9 = s0[(t + 1)];
          s0[t] = (t8 + t9);
        }
        barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
        float t10 = s0[0];
        if (t < 1) {
          b1[g] = t10;
        }
      }
      "
    `);
  });
  it('in CUDA C', () => {
    expect(kernelOf(cuda.renderKernel(rowSums(), 0))).toMatchInlineSnapshot(`
      "k0_reduce_0(const float *__restrict__ b0, float *__restrict__ b1) {
        __shared__ __attribute__((aligned(64))) float s0[16];
        const int g = blockIdx.x;
        const int t = threadIdx.x;
        float a0 = 0.0f;
        int t0 = g * 64;
        for (int n0 = t; n0 < 64; n0 += 16) {
          float t1 = b0[(t0 + n0)];
          a0 = fma_f32(t1, t1, a0);
        }
        s0[t] = a0;
        __syncthreads();
        if (t < 8) {
          float t2 = s0[t];
          float t3 = s0[(t + 8)];
          s0[t] = (t2 + t3);
        }
        __syncthreads();
        if (t < 4) {
          float t4 = s0[t];
          float t5 = s0[(t + 4)];
          s0[t] = (t4 + t5);
        }
        __syncthreads();
        if (t < 2) {
          float t6 = s0[t];
          float t7 = s0[(t + 2)];
          s0[t] = (t6 + t7);
        }
        __syncthreads();
        if (t < 1) {
          float t8 = s0[t];
          float t9 = s0[(t + 1)];
          s0[t] = (t8 + t9);
        }
        __syncthreads();
        float t10 = s0[0];
        if (t < 1) {
          b1[g] = t10;
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
