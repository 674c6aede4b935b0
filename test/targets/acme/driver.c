/*
 * The driver of the chip that docs/new-chip.md invents: the C symbols that its vendor would ship, over host memory. Programs are shared
 * libraries; the threads of a block are contexts that take turns at barriers. Nothing of anychip is known here.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "a1.h"

enum { OK, INVALID = 1, NO_MEMORY = 2, NO_DEVICE = 3, BAD_IMAGE = 4, NO_KERNEL = 5, TOO_LARGE = 6 };
enum { TO_DEVICE = 1, TO_HOST = 2, ON_DEVICE = 3 };
enum { MEMORY_BYTES = 1 << 28, THREADS = 64, STACK_BYTES = 1 << 16, ARGS = 32 };

static int started, open_device = -1, live;
static size_t used;

struct block { size_t bytes, unused[7]; };
struct thread { ucontext_t context; int index, done; char *stack; };
struct launch { void (*kernel)(); void *const *args; struct acme_core *core; ucontext_t scheduler; struct thread threads[THREADS], *current; };
static struct launch job;

/* Allocations, modules and streams that were not given back. */
int acmeLive(void) { return live; }

int acmeStart(void) { started = 1; return getenv("ACME_ABSENT") ? NO_DEVICE : OK; }
int acmeCount(int *count) { *count = 1; return started ? OK : INVALID; }
int acmeOpen(int device) { if (device != 0) return NO_DEVICE; open_device = device; return OK; }
int acmeMemory(size_t *total, size_t *free_bytes) { *total = MEMORY_BYTES; *free_bytes = MEMORY_BYTES - used; return OK; }

int acmeAlloc(size_t bytes, void **out) {
  if (open_device < 0) return INVALID;
  if (used + bytes > MEMORY_BYTES) return NO_MEMORY;
  struct block *block = aligned_alloc(64, sizeof *block + (bytes + 63) / 64 * 64);
  block->bytes = bytes;
  used += bytes;
  live++;
  *out = block + 1;
  return OK;
}
int acmeRelease(void *address) {
  struct block *block = (struct block *)address - 1;
  used -= block->bytes;
  live--;
  free(block);
  return OK;
}

int acmeCopy(int kind, void *to, const void *from, size_t bytes, void *stream) {
  if (kind < TO_DEVICE || kind > ON_DEVICE || !stream) return INVALID;
  memmove(to, from, bytes);
  return OK;
}

int acmeLoad(const void *image, size_t bytes, void **module) {
  char path[] = "/tmp/acme-XXXXXX";
  int file = mkstemp(path);
  if (file < 0) return BAD_IMAGE;
  int whole = write(file, image, bytes) == (ssize_t)bytes;
  close(file);
  *module = whole ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : 0;
  unlink(path);
  live += *module != 0;
  return *module ? OK : BAD_IMAGE;
}
int acmeUnload(void *module) { live--; return dlclose(module) ? INVALID : OK; }

/* A kernel and the module whose state it reads. */
struct kernel { void (*run)(); struct acme_core *core; };
int acmeKernel(void *module, const char *name, void **out) {
  struct kernel *kernel = malloc(sizeof *kernel);
  *(void **)&kernel->run = dlsym(module, name);
  kernel->core = dlsym(module, "acme_core");
  if (!kernel->run || !kernel->core) { free(kernel); return NO_KERNEL; }
  *out = kernel;
  return OK;
}

static void enter_thread(void) {
  void *const *a = job.args;
  job.kernel(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15], a[16], a[17], a[18], a[19], a[20], a[21],
             a[22], a[23], a[24], a[25], a[26], a[27], a[28], a[29], a[30], a[31]);
  job.current->done = 1;
  swapcontext(&job.current->context, &job.scheduler);
}
static void barrier(void) { swapcontext(&job.current->context, &job.scheduler); }

static void run_block(int block, int threads) {
  for (int t = 0; t < threads; t++) {
    struct thread *thread = &job.threads[t];
    if (!thread->stack) thread->stack = malloc(STACK_BYTES);
    getcontext(&thread->context);
    thread->context.uc_stack.ss_sp = thread->stack;
    thread->context.uc_stack.ss_size = STACK_BYTES;
    thread->context.uc_link = 0;
    thread->index = t;
    thread->done = 0;
    makecontext(&thread->context, enter_thread, 0);
  }
  for (int left = threads; left > 0;) {
    for (int t = 0; t < threads; t++) {
      struct thread *thread = job.current = &job.threads[t];
      if (thread->done) continue;
      job.core->block = block;
      job.core->thread = t;
      swapcontext(&job.scheduler, &thread->context);
      left -= thread->done;
    }
  }
}

int acmeLaunch(void *stream, void *function, int blocks, int threads, const void *args, size_t bytes) {
  struct kernel *kernel = function;
  void *padded[ARGS] = {0};
  if (!stream) return INVALID;
  if (threads > THREADS || bytes > sizeof padded) return TOO_LARGE;
  memcpy(padded, args, bytes);
  kernel->core->barrier = barrier;
  job.kernel = kernel->run;
  job.args = padded;
  job.core = kernel->core;
  for (int block = 0; block < blocks; block++) run_block(block, threads);
  return OK;
}

int acmeStream(void **stream) { live++; *stream = malloc(1); return OK; }
int acmeStreamEnd(void *stream) { live--; free(stream); return OK; }
int acmeWait(void *stream) { return stream ? OK : INVALID; }

const char *acmeText(int status) {
  static const char *const texts[] = {"fine", "invalid value", "out of memory", "no device", "image is not a program", "no such kernel", "launch too large"};
  return status >= 0 && status <= TOO_LARGE ? texts[status] : "unknown";
}
