// The C of a thread pool and of the loop that runs a list of calls over it: a unit of its own, the same in every binary.
// No header is included: the few functions of POSIX threads are declared by hand, with storage large enough on every system.
//
// Every thread has a share of the chunks of a job: neighbours, the same part of each job, so that what it wrote lies in its own caches when
// the next job reads it. It takes them from the front; who has done its own takes from the back of others' shares. A share is one word,
// changed by compare-and-swap: the job's number in the upper half, then the first chunk and the one behind the last. So a thread that wakes
// late finds nothing and nobody waits for it; the caller waits only for chunks taken. A thread that waits looks at its own share alone.

/** Changes whenever the functions below, or what they are called with, change: part of the format of binaries. */
export const POOL_ABI = 5;

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

/** Chunks of a thread's share: what others can take from one that is late. */
const CHUNKS = 4;
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
#if defined(__linux__)
unsigned long pthread_self(void);
int pthread_getaffinity_np(unsigned long, unsigned long, void *);
int pthread_setaffinity_np(unsigned long, unsigned long, const void *);
int sched_getcpu(void);
#endif
void *calloc(unsigned long, unsigned long);
void free(void *);

#define CORE_WORDS 16
struct lock { char bytes[128]; } __attribute__((aligned(64)));
struct worker {
  u64 share __attribute__((aligned(64)));
  const struct call *call;
  char *const *args;
  i64 chunks;
  char *scratch;
  i64 stride;
  int core;
  struct pool *pool __attribute__((aligned(64)));
  unsigned long thread;
  int index, avoided;
};
struct pool {
  i64 finished __attribute__((aligned(64)));
  int waiting;
  int sleepers __attribute__((aligned(64)));
  int stop;
  struct lock running, sleeping, wake, done;
  void *memory;
  u64 cores[CORE_WORDS];
  u64 jobs;
  int threads, places;
  struct worker workers[];
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

#if defined(__linux__)
static int core_at_hand(void) { return sched_getcpu(); }
/* The cores that threads of the pool may use: none where the system has more than can be told. */
static void learn_cores(struct pool *p) {
  if (pthread_getaffinity_np(pthread_self(), sizeof p->cores, p->cores) != 0) p->cores[0] = 0;
}
/*
 * Keeps a worker off the core of whoever called: a system that has little to choose from wakes it there, and moves it only when its balance
 * is due, some milliseconds later. It may use all other cores, and that one again when the caller has left it.
 */
static void keep_off(struct pool *p, struct worker *w, int core) {
  if (core < 0 || core >= CORE_WORDS * 64 || __atomic_exchange_n(&w->avoided, core, __ATOMIC_RELAXED) == core) return;
  u64 cores[CORE_WORDS], left = 0;
  for (int i = 0; i < CORE_WORDS; i++) left |= cores[i] = p->cores[i] & ~((u64)(core / 64 == i) << core % 64);
  if (left) pthread_setaffinity_np(w->thread, sizeof cores, cores);
}
#else
static int core_at_hand(void) { return -1; }
static void learn_cores(struct pool *p) { (void)p; }
static void keep_off(struct pool *p, struct worker *w, int core) { (void)p; (void)w; (void)core; }
#endif

/* Takes a chunk of a share; -1 where none is left. */
static i64 take(struct worker *w, int own) {
  u64 share = __atomic_load_n(&w->share, __ATOMIC_ACQUIRE);
  for (;;) {
    i64 first = share >> 16 & 0xffff, end = share & 0xffff;
    if (first == end) return -1;
    if (__atomic_compare_exchange_n(&w->share, &share, own ? share + 0x10000 : share - 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return own ? first : end - 1;
  }
}

/* Runs chunks of the job at hand until none is left. */
static void help(struct pool *p, int index) {
  struct worker *self = &p->workers[index];
  i64 taken = 0;
  for (int i = 0; i < p->places; i++) {
    struct worker *w = &p->workers[(index + i) % p->places];
    for (i64 chunk; (chunk = take(w, w == self)) >= 0; taken++) {
      i64 size = w->call->extent / w->chunks, more = w->call->extent % w->chunks;
      i64 begin = chunk * size + (chunk < more ? chunk : more);
      w->call->run(w->args, w->scratch + index * w->stride, begin, begin + size + (chunk < more));
    }
  }
  if (taken == 0) return;
  __atomic_fetch_add(&p->finished, taken, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&p->waiting, __ATOMIC_SEQ_CST)) {
    pthread_mutex_lock(&p->sleeping);
    pthread_cond_broadcast(&p->done);
    pthread_mutex_unlock(&p->sleeping);
  }
}

/* The number of the last job that a worker was told of. */
static u64 job_of(struct worker *w) { return __atomic_load_n(&w->share, __ATOMIC_SEQ_CST) >> 32; }

static void sleep_until_job(struct pool *p, struct worker *w, u64 seen) {
  pthread_mutex_lock(&p->sleeping);
  __atomic_fetch_add(&p->sleepers, 1, __ATOMIC_SEQ_CST);
  while (job_of(w) == seen && !__atomic_load_n(&p->stop, __ATOMIC_SEQ_CST)) pthread_cond_wait(&p->wake, &p->sleeping);
  __atomic_fetch_sub(&p->sleepers, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&p->sleeping);
}

static void wake_all(struct pool *p, int core) {
  if (__atomic_load_n(&p->sleepers, __ATOMIC_SEQ_CST) == 0) return;
  for (int i = 1; i < p->threads; i++) keep_off(p, &p->workers[i], core);
  pthread_mutex_lock(&p->sleeping);
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->sleeping);
}

static void *work(void *argument) {
  struct worker *self = argument;
  struct pool *p = self->pool;
  u64 seen = 0;
  i64 idle = 0;
  for (int spins = 0; !__atomic_load_n(&p->stop, __ATOMIC_RELAXED);) {
    u64 job = job_of(self);
    if (job != seen) {
      seen = job;
      keep_off(p, self, __atomic_load_n(&self->core, __ATOMIC_RELAXED));
      help(p, self->index);
      spins = 0;
      continue;
    }
    pause();
    if ((++spins & ${YIELD_SPINS - 1}) != 0) continue;
    sched_yield();
    if (spins == ${YIELD_SPINS}) idle = nanos();
    else if (nanos() - idle > ${SPIN_NANOS}) { sleep_until_job(p, self, seen); spins = 0; }
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

static void run_wide(struct pool *p, const struct call *call, char *const *args, char *scratch, i64 stride) {
  i64 threads = p->threads, chunks = call->extent < threads * ${CHUNKS} ? call->extent : threads * ${CHUNKS};
  u64 job = ++p->jobs << 32;
  int core = core_at_hand();
  __atomic_store_n(&p->finished, 0, __ATOMIC_RELAXED);
  for (i64 i = threads; i-- > 0;) {
    struct worker *w = &p->workers[i];
    w->call = call;
    w->args = args;
    w->chunks = chunks;
    w->scratch = scratch;
    w->stride = stride;
    __atomic_store_n(&w->core, core, __ATOMIC_RELAXED);
    __atomic_store_n(&w->share, job | (u64)(chunks * i / threads) << 16 | (u64)(chunks * (i + 1) / threads), __ATOMIC_RELEASE);
  }
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  wake_all(p, core);
  help(p, 0);
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
  p->places = threads;
  learn_cores(p);
  pthread_mutex_init(&p->running, 0);
  pthread_mutex_init(&p->sleeping, 0);
  pthread_cond_init(&p->wake, 0);
  pthread_cond_init(&p->done, 0);
  for (int i = 1; i < threads; i++) {
    struct worker *w = &p->workers[i];
    w->pool = p;
    w->index = i;
    w->avoided = -1;
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
  for (const struct call *call = first; call < last; call++) {
    i64 start = times ? nanos() : 0;
    char *args[call->count + 1];
    for (i64 i = 0; i < call->count; i++) args[i] = bases[call->args[i].base] + call->args[i].offset;
    if (call->wide && p->threads > 1) run_wide(p, call, args, scratch, stride);
    else call->run(args, scratch, 0, call->extent);
    if (times) times[call - first] = nanos() - start;
  }
  pthread_mutex_unlock(&p->running);
}
`;
