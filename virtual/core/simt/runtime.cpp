// What every program of a family of grids of threads is linked with: it runs the threads of a block one after the other, each until it
// waits for others, and is called by the compiler's instrumentation before each access of memory. Threads have stacks of their own; a
// kernel without barriers needs one for all of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "simt.h"

#define HIDDEN extern "C" __attribute__((visibility("hidden")))
#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace anychip;

// Where the program itself lies in memory: made by the linker.
HIDDEN char __ehdr_start[], _end[];

Thread anychip_thread;
unsigned anychip_subgroup_threads;

namespace {

using u64 = unsigned long long;

const Machine *machine;
u64 base, deviceBytes;
unsigned char *shadow;
/** Of four bytes of device memory which thread wrote there last, and before which barrier. */
struct Writer {
  unsigned at, thread;
};
static_assert(sizeof(Writer) == 4 * NOTE_BYTES);
Writer *writers;
char *imageFrom, *imageTo;

const Launch *launch;
Violation *violation;
jmp_buf stopped;

// ---- threads ----

constexpr unsigned STACK_BYTES = 256 << 10, MAX_THREADS = 1024;
enum class Wait : unsigned char { nothing, block, subgroup, exchange };

struct Fiber {
  jmp_buf resume;
  ucontext_t first;
  Thread thread;
  Wait wait;
  int line;
  bool isMade;
};
Fiber fibers[MAX_THREADS];
char *stacks;
Fiber *running;
jmp_buf scheduler;
/** Threads of the block, those that began, those that ended. */
unsigned blockThreads, begun, ended;
unsigned endedThread;
/** Threads that began in each subgroup and did not end. */
unsigned alive[MAX_THREADS + 1];

// ---- what threads did to memory of the block ----

constexpr unsigned short SEVERAL = 0x8000, SUBGROUP = 0x4000;
/** Who wrote and read an element last, and when: the barrier of the block, and of the subgroup, before it. */
struct Cell {
  unsigned writtenAt, readAt;
  unsigned short writer, reader, writtenPhase, readPhase;
  unsigned char bytes;
  /** Of four bytes: the thread that fetches them, from 1, in the block that began with the epoch `fetchedIn`; 0 for none. */
  unsigned short fetcher;
  unsigned fetchedIn;
};
unsigned blockEpoch;
unsigned short phases[MAX_THREADS + 1];
/** The epochs with which the block and the launch began. */
unsigned blockStart, launchStart;

/** Part of the guards around the first and the last shared variable. */
constexpr u64 SLACK_BYTES = 4000;
char *sharedFrom;
u64 sharedBytes;
/** For each byte the number of the variable it belongs to, from 1. */
unsigned short *owners;
Cell *cells;
const SharedVariable *variables;
/** For each variable whether it is the running kernel's. */
unsigned char *isOwn;
int variableCount;

[[noreturn]] void stop(Rule rule, const char *format, ...) {
  violation->rule = rule;
  const Thread &t = anychip_thread;
  int at = snprintf(violation->text, sizeof violation->text, "kernel %s, block (%u, %u, %u), thread (%u, %u, %u): ", launch->kernel->name, t.block.x, t.block.y, t.block.z, t.thread.x,
                    t.thread.y, t.thread.z);
  va_list args;
  va_start(args, format);
  vsnprintf(violation->text + at, sizeof violation->text - (unsigned)at, format, args);
  va_end(args);
  _longjmp(stopped, 1);
}

void body() {
  for (;;) {
    while (begun < blockThreads) {
      const unsigned flat = begun++;
      Thread &t = anychip_thread;
      t.flat = flat;
      t.thread = {flat % t.threads.x, flat / t.threads.x % t.threads.y, flat / (t.threads.x * t.threads.y)};
      Fiber *self = running;
      alive[flat / anychip_subgroup_threads]++;
      launch->kernel->call(launch->params);
      running = self;
      ended++;
      endedThread = anychip_thread.flat;
      alive[anychip_thread.flat / anychip_subgroup_threads]--;
      if (self->wait != Wait::nothing) break;
      // A thread that others waited for has nothing to begin: all began before any went on.
    }
    running->wait = Wait::nothing;
    if (!_setjmp(running->resume)) _longjmp(scheduler, 1);
  }
}

/** Lets a thread go on until it waits or ends. */
void resume(Fiber &fiber) {
  running = &fiber;
  if (_setjmp(scheduler)) return;
  if (fiber.isMade) _longjmp(fiber.resume, 1);
  fiber.isMade = true;
  getcontext(&fiber.first);
  fiber.first.uc_stack.ss_sp = stacks + (u64)(&fiber - fibers) * STACK_BYTES;
  fiber.first.uc_stack.ss_size = STACK_BYTES;
  fiber.first.uc_link = nullptr;
  makecontext(&fiber.first, body, 0);
  setcontext(&fiber.first);
}

void waitFor(Wait what, int line) {
  Fiber *self = running;
  self->thread = anychip_thread;
  self->wait = what;
  self->line = line;
  if (!_setjmp(self->resume)) _longjmp(scheduler, 1);
  running = self;
  anychip_thread = self->thread;
}

unsigned subgroupOf(const Fiber &fiber) { return fiber.thread.flat / anychip_subgroup_threads; }

/** What each thread gave to its subgroup last, and whether it did so for the exchange at hand. */
struct Gift {
  u64 word;
  bool isGiven;
};
Gift gifts[MAX_THREADS];

/** Whether it waits for its subgroup alone. */
bool isWithin(Wait wait) { return wait == Wait::subgroup || wait == Wait::exchange; }

/** Lets all subgroups go on whose threads all wait for each other; false where there is none. */
bool resumeSubgroups(unsigned used) {
  bool any = false;
  for (unsigned group = 0; group * anychip_subgroup_threads < blockThreads; group++) {
    static Fiber *ready[MAX_THREADS];
    unsigned count = 0;
    for (unsigned i = 0; i < used; i++)
      if (isWithin(fibers[i].wait) && subgroupOf(fibers[i]) == group) ready[count++] = &fibers[i];
    if (count == 0 || count != alive[group]) continue;
    for (unsigned i = 1; i < count; i++) {
      if (ready[i]->line == ready[0]->line) continue;
      anychip_thread = ready[i]->thread;
      stop(Rule::barrier, "waits for its subgroup at line %d, another thread of it at line %d", ready[i]->line, ready[0]->line);
    }
    // Values that are exchanged order nothing in memory.
    if (ready[0]->wait == Wait::subgroup) phases[group]++;
    any = true;
    // A thread that waits again waits for the next time.
    for (unsigned i = 0; i < count; i++) {
      ready[i]->wait = Wait::block;
      resume(*ready[i]);
    }
  }
  return any;
}

void forgetFetches();

void runBlock() {
  begun = ended = 0;
  forgetFetches();
  blockStart = ++blockEpoch;
  memset(gifts, 0, sizeof gifts);
  for (unsigned group = 0; group * anychip_subgroup_threads < blockThreads; group++) alive[group] = 0, phases[group] = 0;
  unsigned used = 0;
  bool hasSubgroups = false;
  while (begun < blockThreads) {
    fibers[used].wait = Wait::nothing;
    resume(fibers[used]);
    hasSubgroups |= isWithin(fibers[used].wait);
    if (fibers[used].wait != Wait::nothing) used++;
  }
  while (ended < blockThreads) {
    if (hasSubgroups && resumeSubgroups(used)) continue;
    int line = 0;
    for (unsigned i = 0; i < used; i++) {
      const Fiber &fiber = fibers[i];
      if (fiber.wait == Wait::nothing) continue;
      anychip_thread = fiber.thread;
      if (isWithin(fiber.wait)) stop(Rule::barrier, "waits for its subgroup at line %d, which never comes there whole", fiber.line);
      if (ended > 0) stop(Rule::barrier, "waits at the barrier of line %d, but thread %u of the block has ended without it", fiber.line, endedThread);
      if (line != 0 && line != fiber.line) stop(Rule::barrier, "waits at the barrier of line %d, another thread at that of line %d", fiber.line, line);
      line = fiber.line;
    }
    blockEpoch++;
    hasSubgroups = false;
    for (unsigned i = 0; i < used; i++) {
      if (fibers[i].wait == Wait::nothing) continue;
      resume(fibers[i]);
      hasSubgroups |= isWithin(fibers[i].wait);
    }
  }
}

// ---- accesses ----

[[noreturn]] __attribute__((noinline)) void stopDevice(const char *verb, const void *p, unsigned bytes, unsigned char bit) {
  const u64 offset = (u64)p - base;
  if ((u64)p % bytes) stop(Rule::misaligned, "%s %u bytes at %p, which is no multiple of %u: %s", verb, bytes, p, bytes, machine->describe(p, bytes));
  for (unsigned i = 0; i < bytes; i++) {
    if (shadow[offset + i] & bit) continue;
    const char *place = machine->describe(p, bytes);
    if (shadow[offset + i] & ALLOCATED) stop(Rule::unwritten, "%s %s", verb, place);
    stop(strstr(place, "freed") ? Rule::freed : Rule::bounds, "%s %s", verb, place);
  }
  stop(Rule::bounds, "%s %s", verb, machine->describe(p, bytes));
}

[[noreturn]] __attribute__((noinline)) void stopElsewhere(const char *verb, const void *p, unsigned bytes) {
  stop(Rule::host, "%s %u bytes at %p, which is neither memory of the device nor of the block", verb, bytes, p);
}

/** Whether the last writer of four bytes of device memory is another block of the launch, or another thread with no barrier between. */
template <unsigned bytes>
inline bool isRace(u64 offset) {
  if (bytes < 4) return false;
  const Writer &last = writers[offset / 4];
  return last.at >= launchStart && (last.at < blockStart || (last.at == blockEpoch && last.thread != anychip_thread.flat && phases[anychip_thread.flat / anychip_subgroup_threads] == 0));
}

[[noreturn]] __attribute__((noinline)) void stopRace(const char *verb, const void *p, unsigned bytes) {
  const Writer &last = writers[((u64)p - base) / 4];
  if (last.at < blockStart) stop(Rule::race, "%s %s, which another block of the launch wrote", verb, machine->describe(p, bytes));
  stop(Rule::race, "%s %s, which thread %u wrote with no barrier between", verb, machine->describe(p, bytes), last.thread);
}

/** The program's own constants and the threads' stacks. */
inline bool isProgram(const void *p) {
  const char *at = (const char *)p;
  return (at >= imageFrom && at < imageTo) || (at >= stacks && at < stacks + (u64)STACK_BYTES * MAX_THREADS);
}

/** The name and the element of a shared variable. */
const char *sharedPlace(u64 offset, unsigned bytes) {
  static char text[160];
  const char *address = sharedFrom + offset;
  for (int i = 0; i < variableCount; i++) {
    const SharedVariable &v = variables[i];
    if (!isOwn[i] || address < v.address || address >= v.address + v.bytes + 4096) continue;
    snprintf(text, sizeof text, "bytes %llu to %llu of the %llu bytes of shared %s", (u64)(address - v.address), (u64)(address - v.address) + bytes, (u64)v.bytes, v.name);
    return text;
  }
  return "shared memory outside the kernel's variables";
}

inline bool isOrdered(unsigned at, unsigned short phase, unsigned other) {
  const unsigned group = anychip_thread.flat / anychip_subgroup_threads;
  return at != blockEpoch || (other == group && phase != phases[group]);
}

__attribute__((noinline)) void checkOwner(const char *verb, u64 offset, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++)
    if (owners[offset + i] == 0 || !isOwn[owners[offset + i] - 1]) stop(Rule::bounds, "%s %s", verb, sharedPlace(offset, bytes));
  if ((u64)(sharedFrom + offset) % bytes) stop(Rule::misaligned, "%s %s, no multiple of %u", verb, sharedPlace(offset, bytes), bytes);
}

inline bool isOwned(u64 offset, unsigned bytes) {
  const unsigned short first = owners[offset];
  return first != 0 && isOwn[first - 1] && owners[offset + bytes - 1] == first && offset % bytes == 0;
}

/** The cell of the element at `offset`: its own, or that of the larger one that was written over it. */
inline Cell &cellOf(u64 offset, unsigned bytes) {
  Cell &own = cells[offset];
  if (bytes >= 16 || own.writtenAt >= blockStart) return own;
  for (unsigned wide = 4; wide <= 16; wide *= 2) {
    Cell &around = cells[offset & ~(u64)(wide - 1)];
    if (around.bytes >= wide && around.writtenAt >= blockStart) return around;
  }
  return own;
}

/** What is being fetched is nobody's. */
inline void checkFetched(const char *verb, u64 offset, unsigned bytes) {
  for (u64 at = offset & ~3ull; at < offset + bytes; at += 4) {
    const Cell &cell = cells[at];
    if (cell.fetcher != 0 && cell.fetchedIn == blockStart) stop(Rule::order, "%s %s, which thread %u fetches and has not awaited", verb, sharedPlace(offset, bytes), cell.fetcher - 1u);
  }
}

inline void readShared(u64 offset, unsigned bytes) {
  if (!isOwned(offset, bytes)) checkOwner("reads", offset, bytes);
  checkFetched("reads", offset, bytes);
  const unsigned self = anychip_thread.flat, group = self / anychip_subgroup_threads;
  Cell &cell = cellOf(offset, bytes);
  if (cell.writtenAt < blockStart) stop(Rule::unwritten, "reads %s, which no thread of the block wrote", sharedPlace(offset, bytes));
  if (cell.writer != self && !isOrdered(cell.writtenAt, cell.writtenPhase, cell.writer / anychip_subgroup_threads))
    stop(Rule::race, "reads %s, which thread %u wrote with no barrier between", sharedPlace(offset, bytes), cell.writer);
  if (cell.readAt != blockEpoch) {
    cell.readAt = blockEpoch;
    cell.reader = (unsigned short)self;
  } else if (cell.reader != self && cell.reader != SEVERAL) {
    const unsigned other = cell.reader & SUBGROUP ? cell.reader & ~SUBGROUP : cell.reader / anychip_subgroup_threads;
    cell.reader = other == group ? (unsigned short)(SUBGROUP | group) : SEVERAL;
  }
  cell.readPhase = phases[group];
}

/** Memory of the block that products under way read. */
struct Held {
  u64 from, to;
  unsigned thread, group;
};
Held *held;
unsigned heldCount, heldRoom;

inline void checkHeld(u64 offset, unsigned bytes) {
  for (unsigned i = 0; i < heldCount; i++)
    if (offset < held[i].to && offset + bytes > held[i].from)
      stop(Rule::order, "writes %s, which a product of thread %u and those beside it reads that is not settled", sharedPlace(offset, bytes), held[i].thread);
}

inline void writeShared(u64 offset, unsigned bytes) {
  if (heldCount != 0) checkHeld(offset, bytes);
  if (!isOwned(offset, bytes)) checkOwner("writes", offset, bytes);
  checkFetched("writes", offset, bytes);
  const unsigned self = anychip_thread.flat, group = self / anychip_subgroup_threads;
  Cell &old = cellOf(offset, bytes);
  if (old.writtenAt >= blockStart && old.writer != self && !isOrdered(old.writtenAt, old.writtenPhase, old.writer / anychip_subgroup_threads))
    stop(Rule::race, "writes %s, which thread %u wrote with no barrier between", sharedPlace(offset, bytes), old.writer);
  if (old.readAt == blockEpoch && old.reader != self) {
    const bool isOneGroup = old.reader != SEVERAL;
    const unsigned other = old.reader & SUBGROUP ? old.reader & ~SUBGROUP : old.reader / anychip_subgroup_threads;
    if (!isOneGroup || !isOrdered(old.readAt, old.readPhase, other))
      stop(Rule::race, "writes %s, which another thread read with no barrier between", sharedPlace(offset, bytes));
  }
  for (unsigned at = 0; at < bytes; at += 4) {
    Cell &cell = cells[offset + at];
    cell.writtenAt = blockEpoch;
    cell.writer = (unsigned short)self;
    cell.writtenPhase = phases[group];
    cell.bytes = (unsigned char)(bytes - at);
  }
}

template <class Word>
inline Word repeated(unsigned char bit) {
  return (Word)(0x0101010101010101ull * bit);
}

template <class Word>
inline void readAccess(const void *p) {
  const u64 offset = (u64)p - base;
  if (offset < deviceBytes) {
    const Word bits = repeated<Word>(WRITTEN);
    if (((u64)p % sizeof(Word)) != 0 || (*(Word *)(shadow + offset) & bits) != bits) stopDevice("reads", p, sizeof(Word), WRITTEN);
    if (isRace<sizeof(Word)>(offset)) stopRace("reads", p, sizeof(Word));
    return;
  }
  const u64 in = (u64)p - (u64)sharedFrom;
  if (in < sharedBytes) return readShared(in, sizeof(Word));
  if (!isProgram(p)) stopElsewhere("reads", p, sizeof(Word));
}

template <class Word>
inline void writeAccess(void *p) {
  const u64 offset = (u64)p - base;
  if (offset < deviceBytes) {
    const Word bits = repeated<Word>(ALLOCATED);
    Word *state = (Word *)(shadow + offset);
    if (((u64)p % sizeof(Word)) != 0 || (*state & bits) != bits) stopDevice("writes", p, sizeof(Word), ALLOCATED);
    *state = repeated<Word>(ALLOCATED | WRITTEN);
    if (isRace<sizeof(Word)>(offset)) stopRace("writes", p, sizeof(Word));
    if (sizeof(Word) >= 4) writers[offset / 4] = {blockEpoch, anychip_thread.flat};
    return;
  }
  const u64 in = (u64)p - (u64)sharedFrom;
  if (in < sharedBytes) return writeShared(in, sizeof(Word));
  if (!isProgram(p)) stopElsewhere("writes", p, sizeof(Word));
}

}  // namespace

// ---- what the compiler calls before each access ----

#define ACCESSES(bytes, Word)                                                    \
  HIDDEN void __tsan_read##bytes(void *p) { readAccess<Word>(p); }               \
  HIDDEN void __tsan_write##bytes(void *p) { writeAccess<Word>(p); }             \
  HIDDEN void __tsan_unaligned_read##bytes(void *p) { readAccess<Word>(p); }     \
  HIDDEN void __tsan_unaligned_write##bytes(void *p) { writeAccess<Word>(p); }   \
  HIDDEN void __tsan_volatile_read##bytes(void *p) { readAccess<Word>(p); }      \
  HIDDEN void __tsan_volatile_write##bytes(void *p) { writeAccess<Word>(p); }
ACCESSES(1, unsigned char)
ACCESSES(2, unsigned short)
ACCESSES(4, unsigned)
ACCESSES(8, u64)

/** Sixteen bytes at once: aligned as one, checked as two. */
static void wide(void *p, bool isWrite) {
  const u64 offset = (u64)p - base, in = (u64)p - (u64)sharedFrom;
  if ((u64)p % 16 && (offset < deviceBytes || in < sharedBytes)) stop(Rule::misaligned, "%s 16 bytes at %p, which is no multiple of 16", isWrite ? "writes" : "reads", p);
  if (in < sharedBytes) return isWrite ? writeShared(in, 16) : readShared(in, 16);
  for (int i = 0; i < 2; i++) isWrite ? writeAccess<u64>((char *)p + 8 * i) : readAccess<u64>((char *)p + 8 * i);
}
HIDDEN void __tsan_read16(void *p) { wide(p, false); }
HIDDEN void __tsan_write16(void *p) { wide(p, true); }
HIDDEN void __tsan_unaligned_read16(void *p) { wide(p, false); }
HIDDEN void __tsan_unaligned_write16(void *p) { wide(p, true); }

/** Copies of whole structures: checked byte by byte. */
HIDDEN void __tsan_read_range(void *p, u64 bytes) {
  for (u64 i = 0; i < bytes; i++) readAccess<unsigned char>((char *)p + i);
}
HIDDEN void __tsan_write_range(void *p, u64 bytes) {
  for (u64 i = 0; i < bytes; i++) writeAccess<unsigned char>((char *)p + i);
}
HIDDEN void __tsan_func_entry(void *) {}
HIDDEN void __tsan_func_exit(void) {}
HIDDEN void __tsan_init(void) {}

// ---- copies beside other work ----

namespace {

struct Landing {
  char *to;
  unsigned bytes, group;
  unsigned char data[16];
};
/** What a thread has fetched and not awaited, and how many groups it has closed. */
struct Fetches {
  Landing *landings;
  unsigned count, room, groups;
};
Fetches fetches[MAX_THREADS];

void mark(u64 offset, unsigned bytes, unsigned short fetcher) {
  for (unsigned at = 0; at < bytes; at += 4) cells[offset + at].fetcher = fetcher, cells[offset + at].fetchedIn = blockStart;
}

/** The part of a sum that a thread holds, while products change it. */
struct Sum {
  float *to;
  unsigned count, group;
  float values[256];
};
struct Products {
  Sum *sums;
  unsigned count, room, groups;
  /** The barrier after which what the thread wrote is not known to matrix units yet. */
  unsigned publishedAt;
};
Products products[MAX_THREADS];

void forgetFetches() {
  for (unsigned i = 0; i < blockThreads; i++) {
    fetches[i].count = fetches[i].groups = 0;
    products[i].count = products[i].groups = products[i].publishedAt = 0;
  }
  heldCount = 0;
}

}  // namespace

void anychip_publish(void) { products[anychip_thread.flat].publishedAt = blockEpoch; }

void anychip_product_read(const void *from, unsigned bytes) {
  const u64 in = (u64)from - (u64)sharedFrom;
  if (in >= sharedBytes) stop(Rule::host, "multiplies what lies at %p, which is no memory of the block", from);
  readShared(in, bytes);
  const Cell &cell = cellOf(in, bytes);
  if (cell.writtenAt > products[cell.writer].publishedAt) stop(Rule::order, "multiplies %s, which thread %u wrote and published to no matrix unit", sharedPlace(in, bytes), cell.writer);
}

void anychip_product_hold(const void *from, unsigned bytes) {
  if (heldCount == heldRoom) {
    heldRoom = heldRoom ? 2 * heldRoom : 64;
    held = (Held *)realloc(held, heldRoom * sizeof *held);
  }
  const u64 in = (u64)from - (u64)sharedFrom;
  held[heldCount++] = {in, in + bytes, anychip_thread.flat, products[anychip_thread.flat].groups};
}

float *anychip_product_sum(float *to, unsigned count) {
  Products &own = products[anychip_thread.flat];
  for (unsigned i = 0; i < own.count; i++)
    if (own.sums[i].to == to) return own.sums[i].group = own.groups, own.sums[i].values;
  if (own.count == own.room) {
    own.room = own.room ? 2 * own.room : 4;
    own.sums = (Sum *)realloc(own.sums, own.room * sizeof *own.sums);
  }
  Sum &sum = own.sums[own.count++];
  sum.to = to, sum.count = count, sum.group = own.groups;
  memcpy(sum.values, to, count * sizeof *to);
  memset(to, 0xff, count * sizeof *to);
  return sum.values;
}

void anychip_product_close(void) { products[anychip_thread.flat].groups++; }

void anychip_product_settle(unsigned pending) {
  const unsigned self = anychip_thread.flat;
  Products &own = products[self];
  unsigned left = 0;
  for (unsigned i = 0; i < own.count; i++) {
    const Sum &sum = own.sums[i];
    if (sum.group + pending < own.groups) memcpy(sum.to, sum.values, sum.count * sizeof *sum.to);
    else own.sums[left++] = sum;
  }
  own.count = left;
  left = 0;
  for (unsigned i = 0; i < heldCount; i++)
    if (held[i].thread != self || held[i].group + pending >= own.groups) held[left++] = held[i];
  heldCount = left;
}

void anychip_fetch(void *to, const void *from, unsigned bytes, bool isThere) {
  const u64 in = (u64)to - (u64)sharedFrom;
  if (in >= sharedBytes) stop(Rule::host, "fetches %u bytes to %p, which is no memory of the block", bytes, to);
  if ((u64)to % bytes) stop(Rule::misaligned, "fetches %u bytes to %s, no multiple of them", bytes, sharedPlace(in, bytes));
  if (isThere && (u64)from - base >= deviceBytes) stop(Rule::host, "fetches %u bytes from %p, which is no memory of the device", bytes, from);
  if (isThere && bytes == 16) wide((void *)from, false);
  else if (isThere && bytes == 8) readAccess<u64>(from);
  else if (isThere) readAccess<unsigned>(from);
  writeShared(in, bytes);
  Fetches &own = fetches[anychip_thread.flat];
  if (own.count == own.room) {
    own.room = own.room ? 2 * own.room : 64;
    own.landings = (Landing *)realloc(own.landings, own.room * sizeof *own.landings);
  }
  Landing &landing = own.landings[own.count++];
  landing.to = (char *)to, landing.bytes = bytes, landing.group = own.groups;
  memset(landing.data, 0, sizeof landing.data);
  if (isThere) memcpy(landing.data, from, bytes);
  memset(to, 0xa5, bytes);
  mark(in, bytes, (unsigned short)(anychip_thread.flat + 1));
}

void anychip_fetch_commit(void) { fetches[anychip_thread.flat].groups++; }

void anychip_fetch_await(unsigned pending) {
  Fetches &own = fetches[anychip_thread.flat];
  unsigned left = 0;
  for (unsigned i = 0; i < own.count; i++) {
    const Landing landing = own.landings[i];
    if (landing.group + pending >= own.groups) {
      own.landings[left++] = landing;
      continue;
    }
    const u64 in = (u64)(landing.to - sharedFrom);
    mark(in, landing.bytes, 0);
    writeShared(in, landing.bytes);
    memcpy(landing.to, landing.data, landing.bytes);
  }
  own.count = left;
}

// ---- what kernels call ----

void anychip_sync_block(int line) { waitFor(Wait::block, line); }
void anychip_sync_subgroup(int line) { waitFor(Wait::subgroup, line); }
u64 anychip_exchange(u64 word, unsigned from, int line) {
  const unsigned lane = anychip_thread.flat % anychip_subgroup_threads;
  gifts[anychip_thread.flat] = {word, true};
  waitFor(Wait::exchange, line);
  const Gift taken = gifts[anychip_thread.flat - lane + from % anychip_subgroup_threads];
  if (!taken.isGiven) stop(Rule::barrier, "takes the value of lane %u of its subgroup at line %d, where that thread does not come", from % anychip_subgroup_threads, line);
  waitFor(Wait::exchange, line);
  gifts[anychip_thread.flat].isGiven = false;
  return taken.word;
}

// ---- what the loader calls ----

EXPORT void anychip_load(const Machine *of, const SharedVariable *shared, int count) {
  machine = of;
  anychip_subgroup_threads = of->subgroupThreads;
  base = (u64)of->base;
  deviceBytes = of->bytes;
  shadow = of->shadow;
  writers = (Writer *)of->notes[0];
  imageFrom = __ehdr_start;
  imageTo = _end;
  stacks = (char *)mmap(nullptr, (u64)STACK_BYTES * MAX_THREADS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  variables = shared;
  variableCount = count;
  char *from = nullptr, *to = nullptr;
  for (int i = 0; i < count; i++) {
    if (!from || shared[i].address < from) from = shared[i].address;
    if (shared[i].address + shared[i].bytes > to) to = shared[i].address + shared[i].bytes;
  }
  if (!from) return;
  // Some of the guards on both sides: what lies just outside is out of bounds, not elsewhere.
  sharedFrom = (char *)((u64)(from - SLACK_BYTES) & ~15ull);
  sharedBytes = (u64)(to + SLACK_BYTES - sharedFrom);
  isOwn = (unsigned char *)calloc((u64)count, 1);
  owners = (unsigned short *)calloc(sharedBytes + 16, sizeof *owners);
  cells = (Cell *)calloc(sharedBytes + 16, sizeof *cells);
  for (int i = 0; i < count; i++)
    for (u64 at = 0; at < shared[i].bytes; at++) owners[shared[i].address - sharedFrom + at] = (unsigned short)(i + 1);
}

EXPORT void anychip_unload(void) {
  munmap(stacks, (u64)STACK_BYTES * MAX_THREADS);
  free(isOwn);
  free(owners);
  free(cells);
  for (Fetches &own : fetches) free(own.landings), own = {};
  for (Products &own : products) free(own.sums), own = {};
  free(held);
  held = nullptr, heldCount = heldRoom = 0;
}

EXPORT bool anychip_run(const Launch *what, Violation *broken) {
  launch = what;
  violation = broken;
  blockEpoch = *machine->clock;
  launchStart = blockEpoch + 1;
  for (int i = 0; i < variableCount; i++) isOwn[i] = !strcmp(variables[i].kernel, what->kernel->name);
  blockThreads = what->block[0] * what->block[1] * what->block[2];
  Thread &t = anychip_thread;
  t.threads = {what->block[0], what->block[1], what->block[2]};
  t.blocks = {what->grid[0], what->grid[1], what->grid[2]};
  if (_setjmp(stopped)) {
    // The threads that were under way are never gone on with.
    for (unsigned i = 0; i < MAX_THREADS; i++) fibers[i].isMade = false;
    *machine->clock = blockEpoch;
    return false;
  }
  for (t.block.z = 0; t.block.z < t.blocks.z; t.block.z++)
    for (t.block.y = 0; t.block.y < t.blocks.y; t.block.y++)
      for (t.block.x = 0; t.block.x < t.blocks.x; t.block.x++) runBlock();
  *machine->clock = blockEpoch;
  return true;
}
