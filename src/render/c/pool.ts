// The C of a thread pool and of the loop that runs a list of calls over it: a unit of its own, the same in every binary.
// No header is included: the few functions of POSIX threads are declared by hand, with storage large enough on every system.
//
// One word holds the job: the upper half counts jobs, the lower half the chunks not yet taken. A thread takes a chunk by
// compare-and-swap, so a thread that wakes late finds nothing and nobody waits for it; the caller waits only for chunks taken.

/** Changes whenever the functions below, or what they are called with, change: part of the format of binaries. */
export const POOL_ABI = 4;

/** The scratch memory of each thread begins at a page. */
export const PAGE_BYTES = 4096;

/** What the wrappers of kernels need. */
export const KERNEL_DECLARATIONS = `#define HIDDEN __attribute__((visibility("hidden")))
#define NOINLINE __attribute__((noinline, noclone))
typedef void steps(char *const *, char *, i64, i64);
`;

/** What a table of calls needs besides. */
export const CALL_DECLARATIONS = `struct pool;
struct place { i64 base, offset; };
struct call { steps *run; const struct place *args; i64 count, extent; int wide; };
HIDDEN void anychip_run_calls(struct pool *, const struct call *, const struct call *, char *const *, char *, i64, i64 *);
`;

/** Nanoseconds an idle worker spins before it sleeps. */
const SPIN_NANOS = 200_000;
/** Pauses, of some 20 ns each, in which the caller waits for the chunks that others hold before it sleeps. */
const WAIT_SPINS = 2048;
/** Pauses after which whoever waits offers its core: the thread that it waits for may be the one that is ready to run there. A power of 2. */
const YIELD_SPINS = 64;

export const POOL_SOURCE = `
int pthread_create(unsigned long *, const void *, void *(*)(void *), void *);
int pthread_join(unsigned long, void **);
int pthread_mutex_init(void *, const void *);
int pthread_mutex_lock(void *);
int pthread_mutex_unlock(void *);
int pthread_mutex_destroy(void *);
int pthread_cond_init(void *, const void *);
int pthread_cond_wait(void *, void *);
int pthread_cond_broadcast(void *);
int pthread_cond_destroy(void *);
int clock_gettime(int, i64 *);
int sched_yield(void);
void *calloc(unsigned long, unsigned long);
void free(void *);

struct lock { char bytes[128]; } __attribute__((aligned(64)));
struct pool {
  u64 job __attribute__((aligned(64)));
  i64 finished __attribute__((aligned(64)));
  int sleepers __attribute__((aligned(64)));
  int stop;
  int waiting;
  const struct call *call;
  char *const *args;
  char *scratch;
  i64 stride, chunks;
  struct lock running, sleeping, wake, done;
  void *memory;
  int threads;
  struct worker { struct pool *pool; unsigned long thread; int index; } workers[];
};

static void pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  __asm__ volatile("yield");
#endif
}

static i64 nanos(void) {
  i64 t[2];
#ifdef __APPLE__
  clock_gettime(6, t);
#else
  clock_gettime(1, t);
#endif
  return t[0] * 1000000000ll + t[1];
}

/* Runs one chunk of the job at hand, if there is one left. */
static int help(struct pool *p, int thread) {
  u64 job = __atomic_load_n(&p->job, __ATOMIC_ACQUIRE);
  if ((job & 0xffffffffu) == 0) return 0;
  if (!__atomic_compare_exchange_n(&p->job, &job, job - 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return 1;
  i64 extent = p->call->extent, chunks = p->chunks, chunk = chunks - (i64)(job & 0xffffffffu);
  i64 size = extent / chunks, more = extent % chunks;
  i64 begin = chunk * size + (chunk < more ? chunk : more);
  p->call->run(p->args, p->scratch + thread * p->stride, begin, begin + size + (chunk < more));
  __atomic_fetch_add(&p->finished, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&p->waiting, __ATOMIC_SEQ_CST)) {
    pthread_mutex_lock(&p->sleeping);
    pthread_cond_broadcast(&p->done);
    pthread_mutex_unlock(&p->sleeping);
  }
  return 1;
}

static void sleep_until_job(struct pool *p) {
  pthread_mutex_lock(&p->sleeping);
  __atomic_fetch_add(&p->sleepers, 1, __ATOMIC_SEQ_CST);
  while ((__atomic_load_n(&p->job, __ATOMIC_SEQ_CST) & 0xffffffffu) == 0 && !__atomic_load_n(&p->stop, __ATOMIC_SEQ_CST))
    pthread_cond_wait(&p->wake, &p->sleeping);
  __atomic_fetch_sub(&p->sleepers, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&p->sleeping);
}

static void wake_all(struct pool *p) {
  if (__atomic_load_n(&p->sleepers, __ATOMIC_SEQ_CST) == 0) return;
  pthread_mutex_lock(&p->sleeping);
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->sleeping);
}

static void *work(void *argument) {
  struct worker *self = argument;
  struct pool *p = self->pool;
  i64 idle = 0;
  for (int spins = 0; !__atomic_load_n(&p->stop, __ATOMIC_RELAXED);) {
    if (help(p, self->index)) { spins = 0; continue; }
    pause();
    if ((++spins & ${YIELD_SPINS - 1}) != 0) continue;
    sched_yield();
    if (spins == ${YIELD_SPINS}) idle = nanos();
    else if (nanos() - idle > ${SPIN_NANOS}) { sleep_until_job(p); spins = 0; }
  }
  return 0;
}

/*
 * A worker that holds the last chunk this long has probably lost its core to another program's thread: a caller that sleeps leaves its
 * own core to it, one that spins does not.
 */
static void sleep_until_done(struct pool *p, i64 chunks) {
  pthread_mutex_lock(&p->sleeping);
  __atomic_store_n(&p->waiting, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&p->finished, __ATOMIC_SEQ_CST) != chunks) pthread_cond_wait(&p->done, &p->sleeping);
  __atomic_store_n(&p->waiting, 0, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&p->sleeping);
}

static void run_wide(struct pool *p, const struct call *call, char *const *args) {
  i64 chunks = call->extent < p->threads * 4ll ? call->extent : p->threads * 4ll;
  u64 count = (__atomic_load_n(&p->job, __ATOMIC_RELAXED) >> 32) + 1;
  p->call = call;
  p->args = args;
  p->chunks = chunks;
  __atomic_store_n(&p->finished, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&p->job, count << 32 | (u64)chunks, __ATOMIC_SEQ_CST);
  wake_all(p);
  while (help(p, 0)) {}
  for (int spins = 0; __atomic_load_n(&p->finished, __ATOMIC_ACQUIRE) != chunks; pause()) {
    if (++spins == ${WAIT_SPINS}) return sleep_until_done(p, chunks);
    if ((spins & ${YIELD_SPINS - 1}) == 0) sched_yield();
  }
}

/* A pool of this many threads, the caller's among them; fewer where the system gives no more. */
struct pool *anychip_create_pool(int threads) {
  void *memory = calloc(1, sizeof(struct pool) + 64 + (unsigned long)threads * sizeof(struct worker));
  if (!memory) return 0;
  struct pool *p = (struct pool *)(((unsigned long)memory + 63) & ~63ul);
  p->memory = memory;
  p->threads = 1;
  pthread_mutex_init(&p->running, 0);
  pthread_mutex_init(&p->sleeping, 0);
  pthread_cond_init(&p->wake, 0);
  pthread_cond_init(&p->done, 0);
  for (int i = 1; i < threads; i++) {
    struct worker *w = &p->workers[i];
    w->pool = p;
    w->index = i;
    if (pthread_create(&w->thread, 0, work, w) != 0) break;
    p->threads++;
  }
  return p;
}

void anychip_dispose_pool(struct pool *p) {
  __atomic_store_n(&p->stop, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_lock(&p->sleeping);
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->sleeping);
  for (int i = 1; i < p->threads; i++) pthread_join(p->workers[i].thread, 0);
  pthread_cond_destroy(&p->wake);
  pthread_cond_destroy(&p->done);
  pthread_mutex_destroy(&p->sleeping);
  pthread_mutex_destroy(&p->running);
  free(p->memory);
}

/*
 * Runs the calls [first, last) of a table in order; each ends before the next begins. The scratch memory of thread t begins at t * stride.
 * Where times is given, it gets the nanoseconds of each call.
 */
HIDDEN void anychip_run_calls(struct pool *p, const struct call *first, const struct call *last, char *const *bases, char *scratch, i64 stride, i64 *times) {
  pthread_mutex_lock(&p->running);
  p->scratch = scratch;
  p->stride = stride;
  for (const struct call *call = first; call < last; call++) {
    i64 start = times ? nanos() : 0;
    char *args[call->count + 1];
    for (i64 i = 0; i < call->count; i++) args[i] = bases[call->args[i].base] + call->args[i].offset;
    if (call->wide && p->threads > 1) run_wide(p, call, args);
    else call->run(args, scratch, 0, call->extent);
    if (times) times[call - first] = nanos() - start;
  }
  pthread_mutex_unlock(&p->running);
}
`;
