// What the machine can do at best, measured beside the cases: multiply-adds in independent sums at its widest vectors, and reading memory
// in a stream. Small programs in C, made by the compiler and flags of the cpu device.
import { CpuDevice } from '../src/targets/cpu/device.ts';
import { cpuFacts } from '../src/targets/cpu/facts.ts';
import { openNative } from '../src/ffi/native.ts';
import type { NativeValue } from '../src/ffi/native.ts';
import { CompileCache } from '../src/runtime/compileCache.ts';
import { createCpuTarget } from '../src/targets/cpu/target.ts';
import type { ClockName } from './timing.ts';

export interface Peaks {
  /** Of f32, two for each multiply-add, of all threads together. */
  readonly flopsPerSecond: number;
  readonly bytesPerSecond: number;
}

export interface Probes {
  /** Takes about a tenth of a second. */
  measure(): Peaks;
}

/** Sums that do not wait for each other: more than the latency of two units that begin one each cycle. */
const SUMS = 12;
const STEPS = 1 << 20;
/** Larger than caches are. */
const STREAM_BYTES = 1 << 28;
/** The best counts: whatever disturbs makes it worse. */
const TRIES = 6;

const source = (lanes: number): string => {
  const each = (text: (i: number) => string): string => Array.from({ length: SUMS }, (_, i) => text(i)).join(' ');
  return `typedef float v __attribute__((vector_size(${lanes * 4})));
typedef long long i64;
struct timespec { long s, n; };
extern int clock_gettime(int, struct timespec *);
extern int pthread_create(unsigned long *, const void *, void *(*)(void *), void *);
extern int pthread_join(unsigned long, void **);
extern int sched_yield(void);
static inline v fma_v(v a, v b, v c) { v r; for (int i = 0; i < ${lanes}; i++) r[i] = __builtin_fmaf(a[i], b[i], c[i]); return r; }
struct job { v sum; const v *from; i64 count, nanos; int clock, threads, *ready; };
static i64 now(int clock) { struct timespec t; clock_gettime(clock, &t); return t.s * 1000000000ll + t.n; }
/* All threads begin together. */
static i64 begin(struct job *job) {
  __atomic_add_fetch(job->ready, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(job->ready, __ATOMIC_SEQ_CST) < job->threads) sched_yield();
  return now(job->clock);
}
static void *multiply(void *at) {
  struct job *job = at;
  i64 start = begin(job);
  v a = job->from[0], b = job->from[1]; ${each((i) => `v s${i} = a + ${i}.0f;`)}
  for (i64 i = 0; i < job->count; i++) { ${each((i) => `s${i} = fma_v(s${i}, a, b);`)} }
  job->sum = ${Array.from({ length: SUMS }, (_, i) => `s${i}`).join(' + ')};
  job->nanos = now(job->clock) - start;
  return 0;
}
static void *stream(void *at) {
  struct job *job = at;
  i64 start = begin(job);
  ${each((i) => `v s${i} = {0};`)}
  for (i64 i = 0; i + ${SUMS} <= job->count; i += ${SUMS}) { ${each((i) => `s${i} += job->from[i + ${i}];`)} }
  job->sum = ${Array.from({ length: SUMS }, (_, i) => `s${i}`).join(' + ')};
  job->nanos = now(job->clock) - start;
  return 0;
}
/* Nanoseconds of the thread that takes longest. */
static i64 run(void *(*work)(void *), int clock, int threads, const v *from, i64 step, i64 count) {
  struct job jobs[threads];
  unsigned long ids[threads];
  int ready = 0;
  i64 most = 0;
  for (int t = 0; t < threads; t++) { jobs[t].from = from + t * step; jobs[t].count = count; jobs[t].clock = clock; jobs[t].threads = threads; jobs[t].ready = &ready; }
  for (int t = 1; t < threads; t++) pthread_create(&ids[t], 0, work, &jobs[t]);
  work(&jobs[0]);
  for (int t = 1; t < threads; t++) pthread_join(ids[t], 0);
  for (int t = 0; t < threads; t++) if (jobs[t].nanos > most) most = jobs[t].nanos;
  return most;
}
static const v factors[2] = {{0.5f}, {1.0f}};
i64 probe_multiply(int clock, int threads, i64 steps) { return run(multiply, clock, threads, factors, 0, steps); }
i64 probe_stream(int clock, int threads, const v *from, i64 bytes) {
  i64 each = bytes / sizeof(v) / threads;
  return run(stream, clock, threads, from, each, each);
}
`;
};

/** Numbers that the system has for clocks: time that passes, and that of the thread alone. */
const clockIds: { readonly [C in ClockName]: number } = { wall: 1, processor: 3 };

/** Rejects with a 'device' error where there is no compiler. */
export async function openProbes(threads: number, clock: ClockName): Promise<Probes> {
  const [cache, { vectorLanes: lanes }, native, id] = [new CompileCache(), cpuFacts(), await openNative(), clockIds[clock]];
  const { binary } = await createCpuTarget(cache)
    .createCompiler()
    .compile({ language: 'c', units: [source(lanes)] });
  const library = new CpuDevice(native, cache.folder, 1).openLibrary(binary.bytes);
  const multiply = library.find('probe_multiply', 'i64', ['i32', 'i32', 'i64']);
  const stream = library.find('probe_stream', 'i64', ['i32', 'i32', 'pointer', 'i64']);
  const memory = Buffer.alloc(STREAM_BYTES + 64, 1);
  // Asked for each time, so that the memory stays.
  const address = (): bigint => (native.addressOf(memory)! + 63n) & ~63n;
  const seconds = (measure: () => NativeValue): number => Math.min(...Array.from({ length: TRIES }, () => Number(measure()))) / 1e9;
  return {
    measure: () => ({
      flopsPerSecond: (2 * lanes * SUMS * STEPS * threads) / seconds(() => multiply(id, threads, STEPS)),
      bytesPerSecond: STREAM_BYTES / seconds(() => stream(id, threads, address(), STREAM_BYTES)),
    }),
  };
}
