// What every program of a family of cores with scratchpads is linked with: it runs the cores one after the other, and knows of every byte
// of a scratchpad which pipe wrote and read it last, and which pipe has waited for which since. Work of pipes is done at once; whoever
// uses what is not certainly done by then is stopped. The compiler's instrumentation calls it before each access of scalar code.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pad.h"
#include "tile.h"
#include "users.h"

#define HIDDEN extern "C" __attribute__((visibility("hidden")))
#define EXPORT extern "C" __attribute__((visibility("default")))

using namespace anychip;

// Where the program itself lies in memory: made by the linker.
HIDDEN char __ehdr_start[], _end[];

unsigned anychip_core, anychip_cores, anychip_cluster_cores;

namespace {

using u64 = unsigned long long;
constexpr u64 STACK_BYTES = 8 << 20;
constexpr int ROOMS = 8;

const Machine *machine;
u64 base, deviceBytes;
unsigned char *shadow;
Users users;
/** By line of global memory: the core whose scalar code stored there last. A line has two to the power of `lineShift` bytes. */
unsigned *lineOwners;
u64 lineCount;
int lineShift;
bool isDirty;

const Launch *launch;
Violation *violation;
jmp_buf stopped;
const char *stackTop;

/** Instructions of a core are counted from 1. */
unsigned tick;
/** For each pipe up to which instruction of each it knows that it is done. */
unsigned known[PIPES][PIPES];
struct Signal {
  bool isSet;
  unsigned known[PIPES];
};
Signal signals[PIPES][PIPES][FLAGS];

/** Memories that kernels ask for as they run, which lie in one range of addresses, and the variables that kernels declare. */
Pad pads[SPACES], declared;
constexpr u64 SPACE_BYTES = 64 << 20;
char *padBase;
u64 padUsed[SPACES];
const char *const limitFacts[SPACES] = {"scratchBytes", "stagingBytes", "aBytes", "bBytes", "sumBytes"};

inline int spaceOf(const void *p) {
  const u64 at = (u64)p - (u64)padBase;
  return at < SPACES * SPACE_BYTES ? (int)(at / SPACE_BYTES) : -1;
}
const char *spaceName(int space) { return space == PAD ? "scratchpad" : anychip_rules.spaces[space]; }
const SharedVariable *variables;
int variableCount;
/** The kernel's that runs, and the one that was used last. */
const SharedVariable **own, *lastOwn;
int ownCount;

/** The place in a scratchpad, in words. */
const char *padPlace(const void *p, u64 bytes) {
  static char text[160];
  for (int i = 0; i < ownCount; i++) {
    const SharedVariable &v = *own[i];
    if ((char *)p < v.address || (char *)p >= v.address + v.bytes + 64) continue;
    snprintf(text, sizeof text, "bytes %llu to %llu of the %llu bytes of %s", (u64)((char *)p - v.address), (u64)((char *)p - v.address) + bytes, (u64)v.bytes, v.name);
    return text;
  }
  const int space = spaceOf(p);
  const u64 at = (space < 0 ? declared : pads[space]).at(p);
  snprintf(text, sizeof text, "bytes %llu to %llu of the %s", at, at + bytes, spaceName(space < 0 ? PAD : space));
  return text;
}

/** The variable of the kernel that has the byte. */
const SharedVariable *variableAt(const void *p) {
  const auto has = [p](const SharedVariable &v) { return (char *)p >= v.address && (char *)p < v.address + v.bytes; };
  if (lastOwn && has(*lastOwn)) return lastOwn;
  for (int i = 0; i < ownCount; i++)
    if (has(*own[i])) return lastOwn = own[i];
  return nullptr;
}
bool isDeclared(const void *p, u64 bytes) {
  const SharedVariable *variable = variableAt(p);
  return variable && (char *)p + bytes <= variable->address + variable->bytes;
}
void findOwn() {
  ownCount = 0;
  lastOwn = nullptr;
  for (int i = 0; i < variableCount; i++)
    if (!strcmp(variables[i].kernel, launch->kernel->name)) own[ownCount++] = &variables[i];
}

[[noreturn]] __attribute__((noinline)) void stopOrder(const char *verb, const void *p, u64 bytes, int pipe, int other) {
  const char *const *names = anychip_rules.pipes;
  if (pipe == other) anychip_stop(Rule::order, "an instruction of the %s pipe %s %s, which one before it made, with no barrier between", names[pipe], verb, padPlace(p, bytes));
  anychip_stop(Rule::order, "the %s pipe %s %s, and has not waited for the %s pipe, which uses it", names[pipe], verb, padPlace(p, bytes), names[other]);
}

/** That the bytes are there, and that what other pipes do with them is certainly done. */
void touchPad(Pad &pad, const void *p, u64 bytes, int pipe, bool writes) {
  const u64 from = pad.at(p);
  const char *verb = writes ? "writes" : "reads";
  const bool isOut = &pad == &declared ? !isDeclared(p, bytes) : from + bytes > padUsed[&pad - pads];
  if (from + bytes > pad.bytes || isOut) anychip_stop(Rule::bounds, "%s %s", verb, padPlace(p, bytes));
  const bool waits = pipe == VECTOR && anychip_rules.vectorsWait;
  const Pad::Clash other = writes ? pad.write(from, from + bytes, pipe, tick, known[pipe], waits) : pad.read(from, from + bytes, pipe, tick, known[pipe], waits);
  if (other != Pad::NONE) stopOrder(verb, p, bytes, pipe, other);
}

void usePad(Pad &pad, const void *p, u64 bytes, int pipe, bool writes) {
  touchPad(pad, p, bytes, pipe, writes);
  const u64 from = pad.at(p), to = from + bytes;
  if (writes) return pad.fill(from, to, true);
  if (const u64 b = pad.unfilled(from, to); b != to) anychip_stop(Rule::unwritten, "the %s pipe reads %s, of which byte %llu was never written", anychip_rules.pipes[pipe], padPlace(p, bytes), b - from);
}

/** That every byte of global memory is allocated, or was written. */
void checkShadow(const void *p, u64 bytes, bool writes) {
  const u64 offset = (u64)p - base;
  const unsigned char bit = writes ? ALLOCATED : WRITTEN;
  const char *verb = writes ? "writes" : "reads";
  const bool isThere = bytes <= deviceBytes - offset;
  unsigned char all = bit;
  for (u64 i = 0; isThere && i < bytes; i++) all &= shadow[offset + i];
  if (isThere && all) return;
  for (u64 i = 0; i < bytes; i++) {
    if (offset + i < deviceBytes && shadow[offset + i] & bit) continue;
    const char *place = machine->describe(p, bytes);
    if (offset + i < deviceBytes && shadow[offset + i] & ALLOCATED) anychip_stop(Rule::unwritten, "%s %s", verb, place);
    anychip_stop(strstr(place, "freed") ? Rule::freed : Rule::bounds, "%s %s", verb, place);
  }
}

[[noreturn]] __attribute__((noinline)) void stopRace(const char *verb, Users::Clash clash, const void *p, u64 bytes) {
  anychip_stop(Rule::race, "%s what another core %s: %s", verb, clash == Users::Clash::written ? "writes" : "reads", machine->describe(p, bytes));
}

/** What a core stores stays in lines of its cache, which are written whole. */
inline void storeLines(const void *p, u64 bytes) {
  isDirty = true;
  if (lineCount == 0) return;
  const u64 offset = (u64)p - base;
  for (u64 line = offset >> lineShift; line << lineShift < offset + bytes; line++) {
    if (users.isOther(lineOwners[line]))
      anychip_stop(Rule::race, "stores into a line of %llu bytes of global memory that core %u stores into, whose caches write whole lines: %s", 1ull << lineShift, users.coreOf(lineOwners[line]), machine->describe(p, bytes));
    lineOwners[line] = users.self();
  }
}

inline void useGlobal(const void *p, u64 bytes, int pipe, bool writes) {
  const u64 offset = (u64)p - base;
  const bool isThere = offset < deviceBytes && bytes <= deviceBytes - offset;
  // What this core used before is as it was then: memory is not freed while a kernel runs.
  if (!isThere || !(writes ? users.hasWritten(offset, bytes) : users.hasRead(offset, bytes))) {
    checkShadow(p, bytes, writes);
    if (const Users::Clash clash = writes ? users.write(offset, bytes) : users.read(offset, bytes); clash != Users::Clash::none) stopRace(writes ? "writes" : "reads", clash, p, bytes);
    if (writes) memset(shadow + offset, ALLOCATED | WRITTEN, bytes);
  }
  if (writes && pipe == SCALAR) storeLines(p, bytes);
}

inline bool isStack(const void *p) { return (const char *)p < stackTop && (const char *)p > stackTop - STACK_BYTES; }
/** The program's own constants and the stack. */
inline bool isProgram(const void *p) { return ((const char *)p >= __ehdr_start && (const char *)p < _end) || isStack(p); }

[[noreturn]] __attribute__((noinline)) void stopMisaligned(const char *verb, const void *p, u64 bytes) {
  anychip_stop(Rule::misaligned, "%s %llu bytes at %p, which is no multiple: %s", verb, bytes, p, machine->describe(p, bytes));
}

inline void access(const void *p, u64 bytes, bool writes) {
  if ((u64)p - base < deviceBytes) {
    if ((bytes == 2 || bytes == 4 || bytes == 8) && (u64)p & (bytes - 1)) stopMisaligned(writes ? "writes" : "reads", p, bytes);
    return useGlobal(p, bytes, SCALAR, writes);
  }
  if (declared.has(p)) return usePad(declared, p, bytes, SCALAR, writes);
  if (const int space = spaceOf(p); space >= 0) return usePad(pads[space], p, bytes, SCALAR, writes);
  if (!isProgram(p)) anychip_stop(Rule::host, "%s %llu bytes at %p, which is neither global memory nor the scratchpad's", writes ? "writes" : "reads", bytes, p);
}

void startCore() {
  users.run(anychip_core);
  tick = 1;
  for (u64 &used : padUsed) used = 0;
  for (Pad &pad : pads) pad.forget();
  declared.forget();
  isDirty = false;
  memset(known, 0, sizeof known);
  memset(signals, 0, sizeof signals);
}

void finishCore() {
  for (int a = 0; a < PIPES; a++)
    for (int b = 0; b < PIPES; b++)
      for (int f = 0; f < FLAGS; f++)
        if (signals[a][b][f].isSet) anychip_stop(Rule::order, "flag %d from the %s pipe to the %s pipe is set at the end, and nothing waits for it", f, anychip_rules.pipes[a], anychip_rules.pipes[b]);
  if (isDirty && anychip_rules.storesAreCached) anychip_stop(Rule::order, "scalar stores into global memory are left in the core's cache at the end");
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
  Pad &pad = pads[space];
  if (!pad.from) pad.make(padBase + (u64)space * SPACE_BYTES, (u64)machine->fact(limitFacts[space]));
  const u64 at = (padUsed[space] + align - 1) / align * align;
  if (at + bytes > pad.bytes) anychip_stop(Rule::limit, "asks for %llu bytes of %s beside %llu, and a core has %llu", (u64)bytes, spaceName(space), at, (u64)pad.bytes);
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
bool anychip_is_scratch(const void *p) {
  if (spaceOf(p) == PAD) return true;
  const SharedVariable *variable = variableAt(p);
  return variable ? !variable->isApart : declared.has(p);
}
char *anychip_variable(const void *p, uint64_t *bytes) {
  const SharedVariable *variable = variableAt(p);
  if (!variable) return nullptr;
  *bytes = variable->bytes;
  return variable->address;
}

bool anychip_is_global(const void *p) { return (u64)p - base < deviceBytes; }
bool anychip_is_stack(const void *p) { return isStack(p); }

static Pad *padOf(const void *p) {
  const int space = spaceOf(p);
  return space >= 0 ? &pads[space] : declared.has(p) ? &declared : nullptr;
}
void anychip_touch(const void *p, uint64_t bytes, int pipe, bool writes) {
  if (Pad *pad = padOf(p)) touchPad(*pad, p, bytes, pipe, writes);
}
bool anychip_is_written(const void *p, uint64_t bytes) {
  const Pad *pad = padOf(p);
  return pad && pad->unfilled(pad->at(p), pad->at(p) + bytes) == pad->at(p) + bytes;
}
void anychip_mark(const void *p, uint64_t bytes, bool isWritten) {
  if (Pad *pad = padOf(p)) pad->fill(pad->at(p), pad->at(p) + bytes, isWritten);
}

void anychip_use(const void *p, uint64_t bytes, int pipe, bool writes) {
  if (Pad *pad = padOf(p)) return usePad(*pad, p, bytes, pipe, writes);
  useGlobal(p, bytes, pipe, writes);
}

static struct {
  void *at;
  u64 bytes;
} rooms[ROOMS];
void *anychip_room(int number, uint64_t bytes) {
  auto &room = rooms[number];
  if (room.bytes < bytes) room.at = realloc(room.at, room.bytes = bytes);
  return room.at;
}
void anychip_multiply(double *sums, const float *a, const float *b, uint32_t rows, uint32_t columns, uint32_t depth) {
  for (u64 i = 0; i < rows; i++)
    for (u64 s = 0; s < depth; s++) {
      const double x = a[i * depth + s];
      double *line = sums + i * columns;
      const float *y = b + s * columns;
      for (u64 j = 0; j < columns; j++) line[j] += x * (double)y[j];
    }
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

static void *reserve(u64 bytes) { return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); }

EXPORT void anychip_load(const Machine *of, const SharedVariable *shared, int count) {
  machine = of;
  base = (u64)of->base;
  deviceBytes = of->bytes;
  shadow = of->shadow;
  const u64 lineBytes = (u64)of->fact("lineBytes");
  lineShift = lineBytes == 0 ? 0 : __builtin_ctzll(lineBytes);
  lineCount = lineBytes == 0 ? 0 : deviceBytes / lineBytes + 1;
  if (lineCount > 0) lineOwners = (unsigned *)reserve(lineCount * sizeof *lineOwners);
  padBase = (char *)reserve(SPACES * SPACE_BYTES);
  users.make(*of);
  variables = shared;
  variableCount = count;
  own = (const SharedVariable **)calloc((u64)count + 1, sizeof *own);
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
  munmap(padBase, SPACES * SPACE_BYTES);
  for (Pad &pad : pads) pad.drop();
  for (auto &room : rooms) free(room.at);
  free(own);
  declared.drop();
}

EXPORT bool anychip_run(const Launch *what, Violation *broken) {
  launch = what;
  violation = broken;
  stackTop = (const char *)__builtin_frame_address(0);
  anychip_cluster_cores = what->block[0] * what->block[1] * what->block[2];
  anychip_cores = what->grid[0] * what->grid[1] * what->grid[2] * anychip_cluster_cores;
  findOwn();
  users.begin(anychip_cores);
  if (_setjmp(stopped)) return false;
  for (anychip_core = 0; anychip_core < anychip_cores; anychip_core++) {
    startCore();
    what->kernel->call(what->params);
    finishCore();
  }
  return true;
}
