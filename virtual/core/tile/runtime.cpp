// What every program of a family of cores with scratchpads is linked with: it runs the cores one after the other, and knows of every byte
// of a scratchpad which pipe wrote and read it last, and which pipe has waited for which since. Work of pipes is done at once; whoever
// uses what is not certainly done by then is stopped. The compiler's instrumentation calls it before each access of scalar code.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tile.h"

#define HIDDEN extern "C" __attribute__((visibility("hidden")))
#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace anychip;

// Where the program itself lies in memory: made by the linker.
HIDDEN char __ehdr_start[], _end[];

unsigned anychip_core, anychip_cores, anychip_cluster_cores;

namespace {

using u64 = unsigned long long;
constexpr u64 CELL_BYTES = 4, STACK_BYTES = 8 << 20;

const Machine *machine;
u64 base, deviceBytes;
unsigned char *shadow;
/** By line of global memory: the launch and the core whose scalar code stored there last. */
u64 *lineOwners;
u64 lineBytes, lineCount;
u64 launches;
/** Which core wrote and which read each byte of a page of global memory last: the launch, and the core's number from 1. */
struct Users {
  u64 writer[4096], reader[4096];
  Users *next;
};
Users **users, *allUsers;
constexpr u64 MANY = 0xffff;
bool isDirty;

const Launch *launch;
Violation *violation;
jmp_buf stopped;
const char *stackTop;

/** Instructions are counted through all launches: what a core did has a number above `coreStart`. */
unsigned tick, coreStart;
/** For each pipe up to which instruction of each it knows that it is done. */
unsigned known[PIPES][PIPES];
struct Signal {
  bool isSet;
  unsigned known[PIPES];
};
Signal signals[PIPES][PIPES][FLAGS];

/** What pipes did to four bytes. */
struct Cell {
  unsigned written, read[PIPES];
  unsigned char writer;
};

/** A part of the host's memory that stands for a scratchpad. */
struct Region {
  char *from;
  u64 bytes;
  Cell *cells;
  /** For each byte the instruction that wrote it. */
  unsigned *written;

  bool has(const void *p) const { return (u64)p - (u64)from < bytes; }
  void make(char *at, u64 size) {
    from = at;
    bytes = size;
    cells = (Cell *)calloc(size / CELL_BYTES + 1, sizeof *cells);
    written = (unsigned *)calloc(size, sizeof *written);
  }
  void forget() {
    if (!cells) return;
    memset(cells, 0, (bytes / CELL_BYTES + 1) * sizeof *cells);
    memset(written, 0, bytes * sizeof *written);
  }
  void drop() {
    free(cells);
    free(written);
  }
};
/** Memories that kernels ask for as they run, made when first asked for, and variables that they declare. */
Region pads[SPACES], declared;
u64 padUsed[SPACES], padLimits[SPACES];
const char *const limitFacts[SPACES] = {"scratchBytes", "stagingBytes", "aBytes", "bBytes", "sumBytes"};

int spaceOf(const void *p) {
  for (int space = 0; space < SPACES; space++)
    if (pads[space].has(p)) return space;
  return -1;
}
const char *spaceName(int space) { return space == PAD ? "scratchpad" : anychip_rules.spaces[space]; }
const SharedVariable *variables;
int variableCount;

/** The place in a scratchpad, in words. */
const char *padPlace(const void *p, u64 bytes) {
  static char text[160];
  for (int i = 0; i < variableCount; i++) {
    const SharedVariable &v = variables[i];
    if ((char *)p < v.address || (char *)p >= v.address + v.bytes + 64 || strcmp(v.kernel, launch->kernel->name)) continue;
    snprintf(text, sizeof text, "bytes %llu to %llu of the %llu bytes of %s", (u64)((char *)p - v.address), (u64)((char *)p - v.address) + bytes, (u64)v.bytes, v.name);
    return text;
  }
  const int space = spaceOf(p);
  const u64 at = (u64)p - (u64)(space < 0 ? declared.from : pads[space].from);
  snprintf(text, sizeof text, "bytes %llu to %llu of the %s", at, at + bytes, spaceName(space < 0 ? PAD : space));
  return text;
}

bool isDeclared(const void *p, u64 bytes) {
  for (int i = 0; i < variableCount; i++) {
    const SharedVariable &v = variables[i];
    if ((char *)p >= v.address && (char *)p + bytes <= v.address + v.bytes && !strcmp(v.kernel, launch->kernel->name)) return true;
  }
  return false;
}

[[noreturn]] __attribute__((noinline)) void stopOrder(const char *verb, const void *p, u64 bytes, int pipe, int other) {
  const char *const *names = anychip_rules.pipes;
  if (pipe == other) anychip_stop(Rule::order, "an instruction of the %s pipe %s %s, which one before it made, with no barrier between", names[pipe], verb, padPlace(p, bytes));
  anychip_stop(Rule::order, "the %s pipe %s %s, and has not waited for the %s pipe, which uses it", names[pipe], verb, padPlace(p, bytes), names[other]);
}

/** That the bytes are there, and that what other pipes do with them is certainly done. */
void touchPad(Region &region, const void *p, u64 bytes, int pipe, bool writes) {
  const u64 from = (u64)p - (u64)region.from;
  const char *verb = writes ? "writes" : "reads";
  const bool isOut = &region == &declared ? !isDeclared(p, bytes) : from + bytes > padUsed[&region - pads];
  if (from + bytes > region.bytes || isOut) anychip_stop(Rule::bounds, "%s %s", verb, padPlace(p, bytes));
  for (u64 c = from / CELL_BYTES; c * CELL_BYTES < from + bytes; c++) {
    Cell &cell = region.cells[c];
    if (cell.written > coreStart) {
      const int w = cell.writer;
      const bool isSame = w == pipe && (pipe != VECTOR || !anychip_rules.vectorsWait || cell.written == tick);
      if (!isSame && cell.written > known[pipe][w]) stopOrder(verb, p, bytes, pipe, w);
    }
    if (!writes) {
      cell.read[pipe] = tick;
      continue;
    }
    for (int r = 0; r < PIPES; r++)
      if (r != pipe && cell.read[r] > coreStart && cell.read[r] > known[pipe][r]) stopOrder(verb, p, bytes, pipe, r);
    cell.written = tick;
    cell.writer = (unsigned char)pipe;
  }
}

void usePad(Region &region, const void *p, u64 bytes, int pipe, bool writes) {
  touchPad(region, p, bytes, pipe, writes);
  const u64 from = (u64)p - (u64)region.from;
  for (u64 b = from; b < from + bytes; b++) {
    if (writes) region.written[b] = tick;
    else if (region.written[b] <= coreStart) anychip_stop(Rule::unwritten, "the %s pipe reads %s, of which byte %llu was never written", anychip_rules.pipes[pipe], padPlace(p, bytes), b - from);
  }
}

/** Cores of a launch run in any order: none may use what another writes. */
void shareGlobal(const void *p, u64 bytes, bool writes) {
  constexpr u64 PAGE = sizeof Users::writer / sizeof *Users::writer;
  const u64 self = launches << 16 | (anychip_core + 1), offset = (u64)p - base;
  const auto isOther = [self](u64 user) { return user >> 16 == launches && user != self; };
  for (u64 b = offset; b < offset + bytes; b++) {
    Users *&page = users[b / PAGE];
    if (!page) {
      page = (Users *)calloc(1, sizeof *page);
      page->next = allUsers;
      allUsers = page;
    }
    u64 &writer = page->writer[b % PAGE], &reader = page->reader[b % PAGE];
    const bool isWritten = isOther(writer);
    if (isWritten || (writes && isOther(reader))) anychip_stop(Rule::race, "%s what another core %s: %s", writes ? "writes" : "reads", isWritten ? "writes" : "reads", machine->describe(p, bytes));
    if (writes) writer = self;
    else reader = isOther(reader) ? launches << 16 | MANY : self;
  }
}

void useGlobal(const void *p, u64 bytes, int pipe, bool writes) {
  const u64 offset = (u64)p - base;
  const unsigned char bit = writes ? ALLOCATED : WRITTEN;
  const char *verb = writes ? "writes" : "reads";
  for (u64 i = 0; i < bytes; i++) {
    if (offset + i < deviceBytes && shadow[offset + i] & bit) continue;
    const char *place = machine->describe(p, bytes);
    if (offset + i < deviceBytes && shadow[offset + i] & ALLOCATED) anychip_stop(Rule::unwritten, "%s %s", verb, place);
    anychip_stop(strstr(place, "freed") ? Rule::freed : Rule::bounds, "%s %s", verb, place);
  }
  shareGlobal(p, bytes, writes);
  if (!writes) return;
  memset(shadow + offset, ALLOCATED | WRITTEN, bytes);
  if (pipe != SCALAR) return;
  isDirty = true;
  if (lineBytes == 0) return;
  for (u64 line = offset / lineBytes; line * lineBytes < offset + bytes; line++) {
    const u64 owner = lineOwners[line], self = launches << 16 | (anychip_core + 1);
    if (owner >> 16 == launches && owner != self)
      anychip_stop(Rule::race, "stores into a line of %llu bytes of global memory that core %llu stores into, whose caches write whole lines: %s", lineBytes, (owner & 0xffff) - 1, machine->describe(p, bytes));
    lineOwners[line] = self;
  }
}

inline bool isStack(const void *p) { return (const char *)p < stackTop && (const char *)p > stackTop - STACK_BYTES; }
/** The program's own constants and the stack. */
inline bool isProgram(const void *p) { return ((const char *)p >= __ehdr_start && (const char *)p < _end) || isStack(p); }

void access(const void *p, u64 bytes, bool writes) {
  if ((u64)p - base < deviceBytes) {
    if ((u64)p % bytes && bytes <= 8) anychip_stop(Rule::misaligned, "%s %llu bytes at %p, which is no multiple: %s", writes ? "writes" : "reads", bytes, p, machine->describe(p, bytes));
    return useGlobal(p, bytes, SCALAR, writes);
  }
  if (declared.has(p)) return usePad(declared, p, bytes, SCALAR, writes);
  if (const int space = spaceOf(p); space >= 0) return usePad(pads[space], p, bytes, SCALAR, writes);
  if (!isProgram(p)) anychip_stop(Rule::host, "%s %llu bytes at %p, which is neither global memory nor the scratchpad's", writes ? "writes" : "reads", bytes, p);
}

void startCore() {
  coreStart = ++tick;
  tick++;
  for (u64 &used : padUsed) used = 0;
  isDirty = false;
  for (int a = 0; a < PIPES; a++)
    for (int b = 0; b < PIPES; b++) {
      known[a][b] = coreStart;
      for (int f = 0; f < FLAGS; f++) signals[a][b][f].isSet = false;
    }
}

void finishCore() {
  for (int a = 0; a < PIPES; a++)
    for (int b = 0; b < PIPES; b++)
      for (int f = 0; f < FLAGS; f++)
        if (signals[a][b][f].isSet) anychip_stop(Rule::order, "flag %d from the %s pipe to the %s pipe is set at the end, and nothing waits for it", f, anychip_rules.pipes[a], anychip_rules.pipes[b]);
  if (isDirty && anychip_rules.storesAreCached) anychip_stop(Rule::order, "scalar stores into global memory are left in the core's cache at the end");
}

/** Counters that would overflow begin anew, and so does all that was noted by them. */
void renumber() {
  if (tick < 0xf0000000u) return;
  tick = 0;
  for (Region &pad : pads) pad.forget();
  declared.forget();
}

}  // namespace

// ---- what the compiler calls before each access ----

#define ACCESSES(bytes)                                                      \
  HIDDEN void __tsan_read##bytes(void *p) { access(p, bytes, false); }       \
  HIDDEN void __tsan_write##bytes(void *p) { access(p, bytes, true); }       \
  HIDDEN void __tsan_unaligned_read##bytes(void *p) { access(p, bytes, false); } \
  HIDDEN void __tsan_unaligned_write##bytes(void *p) { access(p, bytes, true); } \
  HIDDEN void __tsan_volatile_read##bytes(void *p) { access(p, bytes, false); }  \
  HIDDEN void __tsan_volatile_write##bytes(void *p) { access(p, bytes, true); }
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
HIDDEN void __tsan_read_range(void *p, u64 bytes) { access(p, bytes, false); }
HIDDEN void __tsan_write_range(void *p, u64 bytes) { access(p, bytes, true); }
HIDDEN void __tsan_func_entry(void *) {}
HIDDEN void __tsan_func_exit(void) {}
HIDDEN void __tsan_init(void) {}

// ---- what kernels call ----

void anychip_stop(Rule rule, const char *format, ...) {
  violation->rule = rule;
  int at = snprintf(violation->text, sizeof violation->text, "kernel %s, core %u: ", launch->kernel->name, anychip_core);
  va_list args;
  va_start(args, format);
  vsnprintf(violation->text + at, sizeof violation->text - (unsigned)at, format, args);
  va_end(args);
  _longjmp(stopped, 1);
}

long long anychip_fact(const char *name) { return machine->fact(name); }

char *anychip_scratch(uint64_t bytes, uint64_t align, int space) {
  Region &pad = pads[space];
  if (!pad.from) {
    padLimits[space] = (u64)machine->fact(limitFacts[space]);
    pad.make((char *)aligned_alloc(4096, (padLimits[space] + 4095) / 4096 * 4096), padLimits[space]);
  }
  const u64 at = (padUsed[space] + align - 1) / align * align;
  if (at + bytes > padLimits[space]) anychip_stop(Rule::limit, "asks for %llu bytes of %s beside %llu, and a core has %llu", (u64)bytes, spaceName(space), at, padLimits[space]);
  padUsed[space] = at + bytes;
  return pad.from + at;
}

void anychip_give(int pipe) {
  tick++;
  if (pipe == SCALAR) return;
  for (int p = 0; p < PIPES; p++)
    if (known[SCALAR][p] > known[pipe][p]) known[pipe][p] = known[SCALAR][p];
}

int anychip_space(const void *p) { return spaceOf(p); }
bool anychip_is_scratch(const void *p) { return spaceOf(p) == PAD || declared.has(p); }

bool anychip_is_stack(const void *p) { return isStack(p); }

static Region *regionOf(const void *p) {
  const int space = spaceOf(p);
  return space >= 0 ? &pads[space] : declared.has(p) ? &declared : nullptr;
}
void anychip_touch(const void *p, uint64_t bytes, int pipe, bool writes) {
  if (Region *region = regionOf(p)) touchPad(*region, p, bytes, pipe, writes);
}
bool anychip_is_written(const void *p, uint64_t bytes) {
  const Region *region = regionOf(p);
  if (!region) return false;
  const u64 from = (u64)p - (u64)region->from;
  for (u64 b = from; b < from + bytes; b++)
    if (region->written[b] <= coreStart) return false;
  return true;
}
void anychip_mark(const void *p, uint64_t bytes, bool isWritten) {
  Region *region = regionOf(p);
  if (!region) return;
  const u64 from = (u64)p - (u64)region->from;
  for (u64 b = from; b < from + bytes; b++) region->written[b] = isWritten ? tick : 0;
}

void anychip_use(const void *p, uint64_t bytes, int pipe, bool writes) {
  if (Region *region = regionOf(p)) return usePad(*region, p, bytes, pipe, writes);
  useGlobal(p, bytes, pipe, writes);
}

void anychip_signal(int from, int to, int flag) {
  if (flag < 0 || flag >= FLAGS) anychip_stop(Rule::limit, "flag %d: there are %d", flag, FLAGS);
  Signal &signal = signals[from][to][flag];
  if (signal.isSet) anychip_stop(Rule::order, "flag %d from the %s pipe to the %s pipe is set again before it was waited for", flag, anychip_rules.pipes[from], anychip_rules.pipes[to]);
  signal.isSet = true;
  for (int p = 0; p < PIPES; p++) signal.known[p] = known[from][p] > known[SCALAR][p] ? known[from][p] : known[SCALAR][p];
  // What scalar code does from here on is not in it.
  signal.known[from] = tick++;
}

void anychip_wait(int from, int to, int flag) {
  if (flag < 0 || flag >= FLAGS) anychip_stop(Rule::limit, "flag %d: there are %d", flag, FLAGS);
  Signal &signal = signals[from][to][flag];
  if (!signal.isSet) anychip_stop(Rule::order, "the %s pipe waits for flag %d of the %s pipe, which nothing sets: the core would stand still", anychip_rules.pipes[to], flag, anychip_rules.pipes[from]);
  signal.isSet = false;
  for (int p = 0; p < PIPES; p++)
    if (signal.known[p] > known[to][p]) known[to][p] = signal.known[p];
}

void anychip_order(int of, int pipe) { known[pipe][of] = tick++; }
void anychip_flush() { isDirty = false; }

// ---- what the loader calls ----

EXPORT void anychip_load(const Machine *of, const SharedVariable *shared, int count) {
  machine = of;
  base = (u64)of->base;
  deviceBytes = of->bytes;
  shadow = of->shadow;
  lineBytes = (u64)of->fact("lineBytes");
  lineCount = lineBytes == 0 ? 0 : deviceBytes / lineBytes + 1;
  if (lineCount > 0) lineOwners = (u64 *)mmap(nullptr, lineCount * sizeof *lineOwners, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  users = (Users **)calloc(deviceBytes * sizeof(u64) / sizeof Users::writer + 1, sizeof *users);
  variables = shared;
  variableCount = count;
  if (count == 0) return;
  char *from = shared[0].address, *to = from;
  for (int i = 0; i < count; i++) {
    if (shared[i].address < from) from = shared[i].address;
    if (shared[i].address + shared[i].bytes > to) to = shared[i].address + shared[i].bytes;
  }
  // Some more on both sides: what lies just outside is out of bounds, not elsewhere.
  from = (char *)((u64)(from - 64) & ~15ull);
  declared.make(from, (u64)(to + 64 - from));
}

EXPORT void anychip_unload(void) {
  if (lineCount > 0) munmap(lineOwners, lineCount * sizeof *lineOwners);
  for (Users *next; allUsers; allUsers = next) {
    next = allUsers->next;
    free(allUsers);
  }
  free(users);
  for (Region &pad : pads) {
    free(pad.from);
    pad.drop();
  }
  declared.drop();
}

EXPORT bool anychip_run(const Launch *what, Violation *broken) {
  launch = what;
  violation = broken;
  launches++;
  stackTop = (const char *)__builtin_frame_address(0);
  anychip_cluster_cores = what->block[0] * what->block[1] * what->block[2];
  anychip_cores = what->grid[0] * what->grid[1] * what->grid[2] * anychip_cluster_cores;
  if (_setjmp(stopped)) return false;
  for (anychip_core = 0; anychip_core < anychip_cores; anychip_core++) {
    renumber();
    startCore();
    what->kernel->call(what->params);
    finishCore();
  }
  return true;
}
