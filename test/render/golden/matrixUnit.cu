typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef long long i64;
typedef unsigned long long u64;
#ifdef __CUDA_ARCH__
static __device__ __forceinline__ void matrix_load_a_row_f16_m16n16k16(unsigned (&f)[8], const u16 *p, int stride) {
  __syncwarp(); unsigned at = (unsigned)__cvta_generic_to_shared(p);
  asm volatile("wmma.load.a.sync.aligned.row.m16n16k16.shared.f16 {%0, %1, %2, %3, %4, %5, %6, %7}, [%8], %9;" : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3]), "=r"(f[4]), "=r"(f[5]), "=r"(f[6]), "=r"(f[7]) : "r"(at), "r"(stride) : "memory");
}
#endif
#ifdef __CUDA_ARCH__
static __device__ __forceinline__ void matrix_load_b_row_f16_m16n16k16(unsigned (&f)[8], const u16 *p, int stride) {
  __syncwarp(); unsigned at = (unsigned)__cvta_generic_to_shared(p);
  asm volatile("wmma.load.b.sync.aligned.row.m16n16k16.shared.f16 {%0, %1, %2, %3, %4, %5, %6, %7}, [%8], %9;" : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3]), "=r"(f[4]), "=r"(f[5]), "=r"(f[6]), "=r"(f[7]) : "r"(at), "r"(stride) : "memory");
}
#endif
#ifdef __CUDA_ARCH__
static __device__ __forceinline__ void matrix_multiply_row_row_f16_m16n16k16(float (&d)[8], const unsigned (&a)[8], const unsigned (&b)[8]) {
  asm volatile("wmma.mma.sync.aligned.row.row.m16n16k16.f32.f32 {%0, %1, %2, %3, %4, %5, %6, %7}, {%8, %9, %10, %11, %12, %13, %14, %15}, {%16, %17, %18, %19, %20, %21, %22, %23}, {%0, %1, %2, %3, %4, %5, %6, %7};" : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(a[4]), "r"(a[5]), "r"(a[6]), "r"(a[7]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(b[4]), "r"(b[5]), "r"(b[6]), "r"(b[7]));
}
#endif
#ifdef __CUDA_ARCH__
static __device__ __forceinline__ void matrix_store_row_f32_m16n16k16(float *p, const float (&d)[8], int stride) {
  __syncwarp(); unsigned at = (unsigned)__cvta_generic_to_shared(p);
  asm volatile("wmma.store.d.sync.aligned.row.m16n16k16.shared.f32 [%0], {%2, %3, %4, %5, %6, %7, %8, %9}, %1;" :: "r"(at), "r"(stride), "f"(d[0]), "f"(d[1]), "f"(d[2]), "f"(d[3]), "f"(d[4]), "f"(d[5]), "f"(d[6]), "f"(d[7]) : "memory");
}
#endif

extern "C" __global__ void __launch_bounds__(64)
k0_matmul_0(const u16 *__restrict__ b1, const u16 *__restrict__ b2, const float *__restrict__ b3, float *__restrict__ b4) {
  __shared__ __attribute__((aligned(64))) u16 s0[1024];
  __shared__ __attribute__((aligned(64))) u16 s1[2048];
  __shared__ __attribute__((aligned(64))) float s2[512];
  const int g = blockIdx.x;
  const int t = threadIdx.x;
  float sum0[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  unsigned a0[8];
  unsigned b0[8];
  s0[(((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16))] = (u16)((unsigned)b1[((t % 32) + ((t / 32) * 64))]);
  s0[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 32)] = (u16)((unsigned)b1[(((t % 32) + ((t / 32) * 64)) + 128)]);
  s0[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 64)] = (u16)((unsigned)b1[(((t % 32) + ((t / 32) * 64)) + 256)]);
  s0[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 96)] = (u16)((unsigned)b1[(((t % 32) + ((t / 32) * 64)) + 384)]);
  s0[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 128)] = (u16)((unsigned)b1[(((t % 32) + ((t / 32) * 64)) + 512)]);
  s0[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 160)] = (u16)((unsigned)b1[(((t % 32) + ((t / 32) * 64)) + 640)]);
  s0[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 192)] = (u16)((unsigned)b1[(((t % 32) + ((t / 32) * 64)) + 768)]);
  s0[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 224)] = (u16)((unsigned)b1[(((t % 32) + ((t / 32) * 64)) + 896)]);
  s1[(((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16))] = (u16)((unsigned)b2[t]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 32)] = (u16)((unsigned)b2[(t + 64)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 64)] = (u16)((unsigned)b2[(t + 128)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 96)] = (u16)((unsigned)b2[(t + 192)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 128)] = (u16)((unsigned)b2[(t + 256)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 160)] = (u16)((unsigned)b2[(t + 320)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 192)] = (u16)((unsigned)b2[(t + 384)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 224)] = (u16)((unsigned)b2[(t + 448)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 512)] = (u16)((unsigned)b2[(t + 512)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 544)] = (u16)((unsigned)b2[(t + 576)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 576)] = (u16)((unsigned)b2[(t + 640)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 608)] = (u16)((unsigned)b2[(t + 704)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 640)] = (u16)((unsigned)b2[(t + 768)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 672)] = (u16)((unsigned)b2[(t + 832)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 704)] = (u16)((unsigned)b2[(t + 896)]);
  s1[((((((t % 32) / 16) * 256) + (t % 16)) + ((t / 32) * 16)) + 736)] = (u16)((unsigned)b2[(t + 960)]);
  __syncthreads();
  unsigned next0 = 0u;
  unsigned next1 = 0u;
  unsigned next2 = 0u;
  unsigned next3 = 0u;
  unsigned next4 = 0u;
  unsigned next5 = 0u;
  unsigned next6 = 0u;
  unsigned next7 = 0u;
  unsigned next8 = 0u;
  unsigned next9 = 0u;
  unsigned next10 = 0u;
  unsigned next11 = 0u;
  unsigned next12 = 0u;
  unsigned next13 = 0u;
  unsigned next14 = 0u;
  unsigned next15 = 0u;
  unsigned next16 = 0u;
  unsigned next17 = 0u;
  unsigned next18 = 0u;
  unsigned next19 = 0u;
  unsigned next20 = 0u;
  unsigned next21 = 0u;
  unsigned next22 = 0u;
  unsigned next23 = 0u;
  int t2 = t % 32;
  int t11 = t / 32;
  int t27 = (t / 32) * 256;
  int t29 = (((t2 / 16) * 256) + (t % 16)) + ((t / 32) * 16);
  for (int n0 = 0; n0 < 2; n0++) {
    int t0 = n0 % 2;
    unsigned t1 = 0u;
    if ((t2 + (n0 * 32)) < 32) {
      t1 = ((unsigned)b1[((((t % 32) + ((t / 32) * 64)) + (n0 * 32)) + 32)]);
    }
    unsigned t3 = 0u;
    if ((t2 + (n0 * 32)) < 32) {
      t3 = ((unsigned)b1[((((t % 32) + ((t / 32) * 64)) + (n0 * 32)) + 160)]);
    }
    unsigned t4 = 0u;
    if ((t2 + (n0 * 32)) < 32) {
      t4 = ((unsigned)b1[((((t % 32) + ((t / 32) * 64)) + (n0 * 32)) + 288)]);
    }
    unsigned t5 = 0u;
    if ((t2 + (n0 * 32)) < 32) {
      t5 = ((unsigned)b1[((((t % 32) + ((t / 32) * 64)) + (n0 * 32)) + 416)]);
    }
    unsigned t6 = 0u;
    if ((t2 + (n0 * 32)) < 32) {
      t6 = ((unsigned)b1[((((t % 32) + ((t / 32) * 64)) + (n0 * 32)) + 544)]);
    }
    unsigned t7 = 0u;
    if ((t2 + (n0 * 32)) < 32) {
      t7 = ((unsigned)b1[((((t % 32) + ((t / 32) * 64)) + (n0 * 32)) + 672)]);
    }
    unsigned t8 = 0u;
    if ((t2 + (n0 * 32)) < 32) {
      t8 = ((unsigned)b1[((((t % 32) + ((t / 32) * 64)) + (n0 * 32)) + 800)]);
    }
    unsigned t9 = 0u;
    if ((t2 + (n0 * 32)) < 32) {
      t9 = ((unsigned)b1[((((t % 32) + ((t / 32) * 64)) + (n0 * 32)) + 928)]);
    }
    unsigned t10 = 0u;
    if ((t11 + (n0 * 32)) < 32) {
      t10 = ((unsigned)b2[((t + (n0 * 1024)) + 1024)]);
    }
    unsigned t12 = 0u;
    if ((t11 + (n0 * 32)) < 30) {
      t12 = ((unsigned)b2[((t + (n0 * 1024)) + 1088)]);
    }
    unsigned t13 = 0u;
    if ((t11 + (n0 * 32)) < 28) {
      t13 = ((unsigned)b2[((t + (n0 * 1024)) + 1152)]);
    }
    unsigned t14 = 0u;
    if ((t11 + (n0 * 32)) < 26) {
      t14 = ((unsigned)b2[((t + (n0 * 1024)) + 1216)]);
    }
    unsigned t15 = 0u;
    if ((t11 + (n0 * 32)) < 24) {
      t15 = ((unsigned)b2[((t + (n0 * 1024)) + 1280)]);
    }
    unsigned t16 = 0u;
    if ((t11 + (n0 * 32)) < 22) {
      t16 = ((unsigned)b2[((t + (n0 * 1024)) + 1344)]);
    }
    unsigned t17 = 0u;
    if ((t11 + (n0 * 32)) < 20) {
      t17 = ((unsigned)b2[((t + (n0 * 1024)) + 1408)]);
    }
    unsigned t18 = 0u;
    if ((t11 + (n0 * 32)) < 18) {
      t18 = ((unsigned)b2[((t + (n0 * 1024)) + 1472)]);
    }
    unsigned t19 = 0u;
    if ((t11 + (n0 * 32)) < 16) {
      t19 = ((unsigned)b2[((t + (n0 * 1024)) + 1536)]);
    }
    unsigned t20 = 0u;
    if ((t11 + (n0 * 32)) < 14) {
      t20 = ((unsigned)b2[((t + (n0 * 1024)) + 1600)]);
    }
    unsigned t21 = 0u;
    if ((t11 + (n0 * 32)) < 12) {
      t21 = ((unsigned)b2[((t + (n0 * 1024)) + 1664)]);
    }
    unsigned t22 = 0u;
    if ((t11 + (n0 * 32)) < 10) {
      t22 = ((unsigned)b2[((t + (n0 * 1024)) + 1728)]);
    }
    unsigned t23 = 0u;
    if ((t11 + (n0 * 32)) < 8) {
      t23 = ((unsigned)b2[((t + (n0 * 1024)) + 1792)]);
    }
    unsigned t24 = 0u;
    if ((t11 + (n0 * 32)) < 6) {
      t24 = ((unsigned)b2[((t + (n0 * 1024)) + 1856)]);
    }
    unsigned t25 = 0u;
    if ((t11 + (n0 * 32)) < 4) {
      t25 = ((unsigned)b2[((t + (n0 * 1024)) + 1920)]);
    }
    unsigned t26 = 0u;
    if ((t11 + (n0 * 32)) < 2) {
      t26 = ((unsigned)b2[((t + (n0 * 1024)) + 1984)]);
    }
    next0 = t1;
    next1 = t3;
    next2 = t4;
    next3 = t5;
    next4 = t6;
    next5 = t7;
    next6 = t8;
    next7 = t9;
    next8 = t10;
    next9 = t12;
    next10 = t13;
    next11 = t14;
    next12 = t15;
    next13 = t16;
    next14 = t17;
    next15 = t18;
    next16 = t19;
    next17 = t20;
    next18 = t21;
    next19 = t22;
    next20 = t23;
    next21 = t24;
    next22 = t25;
    next23 = t26;
    matrix_load_a_row_f16_m16n16k16(a0, s0 + (t0 * 512), 16);
    matrix_load_b_row_f16_m16n16k16(b0, s1 + ((t0 * 1024) + t27), 16);
    matrix_multiply_row_row_f16_m16n16k16(sum0, a0, b0);
    matrix_load_a_row_f16_m16n16k16(a0, s0 + ((t0 * 512) + 256), 16);
    matrix_load_b_row_f16_m16n16k16(b0, s1 + ((t0 * 1024) + (t27 + 512)), 16);
    matrix_multiply_row_row_f16_m16n16k16(sum0, a0, b0);
    int t28 = 1 - t0;
    s0[((t28 * 512) + t29)] = (u16)next0;
    s0[((t28 * 512) + (t29 + 32))] = (u16)next1;
    s0[((t28 * 512) + (t29 + 64))] = (u16)next2;
    s0[((t28 * 512) + (t29 + 96))] = (u16)next3;
    s0[((t28 * 512) + (t29 + 128))] = (u16)next4;
    s0[((t28 * 512) + (t29 + 160))] = (u16)next5;
    s0[((t28 * 512) + (t29 + 192))] = (u16)next6;
    s0[((t28 * 512) + (t29 + 224))] = (u16)next7;
    s1[((t28 * 1024) + t29)] = (u16)next8;
    s1[((t28 * 1024) + (t29 + 32))] = (u16)next9;
    s1[((t28 * 1024) + (t29 + 64))] = (u16)next10;
    s1[((t28 * 1024) + (t29 + 96))] = (u16)next11;
    s1[((t28 * 1024) + (t29 + 128))] = (u16)next12;
    s1[((t28 * 1024) + (t29 + 160))] = (u16)next13;
    s1[((t28 * 1024) + (t29 + 192))] = (u16)next14;
    s1[((t28 * 1024) + (t29 + 224))] = (u16)next15;
    s1[((t28 * 1024) + (t29 + 512))] = (u16)next16;
    s1[((t28 * 1024) + (t29 + 544))] = (u16)next17;
    s1[((t28 * 1024) + (t29 + 576))] = (u16)next18;
    s1[((t28 * 1024) + (t29 + 608))] = (u16)next19;
    s1[((t28 * 1024) + (t29 + 640))] = (u16)next20;
    s1[((t28 * 1024) + (t29 + 672))] = (u16)next21;
    s1[((t28 * 1024) + (t29 + 704))] = (u16)next22;
    s1[((t28 * 1024) + (t29 + 736))] = (u16)next23;
    __syncthreads();
  }
  float t31 = b3[((t % 16) + ((t / 32) * 16))];
  int t32 = (((t2 / 16) * 32) + (t % 16)) + ((t / 32) * 16);
  matrix_store_row_f32_m16n16k16(s2 + ((t / 32) * 256), sum0, 16);
  __syncthreads();
  for (int n1 = 0; n1 < 8; n1++) {
    float t30 = s2[(((t / 32) * 256) + (t2 + (n1 * 32)))];
    b4[(t32 + (n1 * 64))] = (t30 + t31);
  }
}
