// A driver of CUDA's interface over host memory, in C, so that the binding is tested where there is no GPU. It knows one kernel, `add_one`:
// each thread of the grid adds 1 to one float of its first argument and stores it in its second. What is alive is counted.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SOURCE = `
#include <stdlib.h>
#include <string.h>
typedef unsigned long long u64;
static int live, launches, replays, fail_status; static size_t limit = 1u << 20, used; static char fail_at[64]; static void *current, *capturing;
static int context;
void fake_fail(const char *name, int status) { strncpy(fail_at, name, 63); fail_status = status; }
int fake_live(void) { return live; }
int fake_launches(void) { return launches; }
int fake_replays(void) { return replays; }
#define ENTER if (!strcmp(fail_at, __func__)) { fail_at[0] = 0; return fail_status; }
#define INSIDE ENTER if (current != &context) return 201;
struct block { size_t bytes; size_t pad[7]; };
struct launch { float *from, *to; int count; };
struct graph { struct launch list[16]; int n; };
static struct graph *open_graph;
int cuInit(unsigned flags) { ENTER return flags != 0; }
int cuDriverGetVersion(int *v) { *v = 12040; return 0; }
int cuDeviceGetCount(int *n) { ENTER *n = 2; return 0; }
int cuDeviceGet(int *d, int ordinal) { *d = 40 + ordinal; return 0; }
int cuDeviceGetName(char *name, int n, int d) { strncpy(name, d == 40 ? "Fake One" : "Fake Two", n); return 0; }
int cuDeviceGetAttribute(int *v, int a, int d) { *v = a == 1 ? 1024 : a == 8 ? 49152 : a == 10 ? 32 : a == 16 ? 7 : a == 75 ? 8 : 0; return 0; }
int cuDeviceTotalMem_v2(size_t *n, int d) { *n = limit; return 0; }
int cuDevicePrimaryCtxRetain(void **c, int d) { *c = &context; live++; return 0; }
int cuDevicePrimaryCtxRelease_v2(int d) { live--; return 0; }
int cuCtxSetCurrent(void *c) { current = c; return 0; }
int cuMemGetInfo_v2(size_t *f, size_t *t) { INSIDE *f = limit - used; *t = limit; return 0; }
int cuMemAlloc_v2(void **p, size_t n) { INSIDE if (used + n > limit) return 2;
  struct block *b = aligned_alloc(64, sizeof *b + (n + 63) / 64 * 64); b->bytes = n; used += n; live++; *p = b + 1; return 0; }
int cuMemFree_v2(void *p) { INSIDE struct block *b = (struct block *)p - 1; used -= b->bytes; live--; free(b); return 0; }
static int move(void *to, const void *from, size_t n, void *s) { if (s == capturing) return 900; memcpy(to, from, n); return 0; }
int cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t n, void *s) { INSIDE return move(to, from, n, s); }
int cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t n, void *s) { INSIDE return move(to, from, n, s); }
int cuMemcpyDtoDAsync_v2(void *to, const void *from, size_t n, void *s) { INSIDE return move(to, from, n, s); }
int cuModuleLoadData(void **m, const void *image) { INSIDE if (strncmp(image, "machine code", 12)) return 200; *m = malloc(1); live++; return 0; }
int cuModuleUnload(void *m) { INSIDE free(m); live--; return 0; }
int cuModuleGetFunction(void **f, void *m, const char *name) { INSIDE if (strcmp(name, "add_one")) return 500; *f = &launches; return 0; }
static void execute(struct launch l) { for (int i = 0; i < l.count; i++) l.to[i] = l.from[i] + 1; }
int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *s, void **params, void **extra) {
  INSIDE if (f != &launches || gy != 1 || gz != 1 || by != 1 || bz != 1 || shared || extra || !s) return 1;
  if (bx > 1024) return 701;
  struct launch l = { *(float **)params[0], *(float **)params[1], gx * bx };
  launches++;
  if (s == capturing) open_graph->list[open_graph->n++] = l; else execute(l);
  return 0; }
int cuStreamCreate(void **s, unsigned flags) { INSIDE if (flags != 1) return 1; *s = malloc(1); live++; return 0; }
int cuStreamDestroy_v2(void *s) { INSIDE free(s); live--; return 0; }
int cuStreamSynchronize(void *s) { INSIDE return 0; }
int cuStreamQuery(void *s) { static int turn; INSIDE return ++turn % 3 ? 600 : 0; }
int cuEventCreate(void **e, unsigned flags) { INSIDE *e = malloc(1); live++; return 0; }
int cuEventDestroy_v2(void *e) { INSIDE free(e); live--; return 0; }
int cuEventRecord(void *e, void *s) { INSIDE return 0; }
int cuEventElapsedTime(float *ms, void *a, void *b) { INSIDE *ms = 0.25f; return 0; }
int cuStreamBeginCapture_v2(void *s, int mode) { INSIDE if (mode != 1) return 1; capturing = s; open_graph = calloc(1, sizeof *open_graph); live++; return 0; }
int cuStreamEndCapture(void *s, void **g) { INSIDE capturing = 0; *g = open_graph; return 0; }
int cuGraphInstantiateWithFlags(void **e, void *g, u64 flags) { INSIDE struct graph *copy = malloc(sizeof *copy); *copy = *(struct graph *)g; live++; *e = copy; return flags != 0; }
int cuGraphLaunch(void *e, void *s) { INSIDE struct graph *g = e; for (int i = 0; i < g->n; i++) execute(g->list[i]); replays++; return 0; }
int cuGraphDestroy(void *g) { INSIDE free(g); live--; return 0; }
int cuGraphExecDestroy(void *g) { INSIDE free(g); live--; return 0; }
int cuGetErrorName(int s, const char **t) { *t = s == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : s == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : s == 701 ? "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES" : 0; return *t ? 0 : 1; }
int cuGetErrorString(int s, const char **t) { *t = "said by the driver"; return 0; }
`;

/** Path of the library; undefined where there is no C compiler. */
export function buildFakeDriver(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'anychip-fake-'));
  const path = join(folder, 'libfake.so');
  writeFileSync(join(folder, 'fake.c'), SOURCE);
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-w', '-o', path, join(folder, 'fake.c')]);
    return path;
  } catch {
    return undefined;
  }
}
