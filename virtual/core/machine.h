// What compiled kernels and the chip that runs them know of each other: plain data, the same in the library of the chip and in the
// runtime that is linked to every program. No vendor is known here.
#pragma once

#include <cstdint>

namespace anychip {

/** The rules of a chip that programs can break. `ruleNames` in report.cpp has a word for each. */
enum class Rule : int { none, bounds, freed, misaligned, unwritten, race, barrier, host, limit, granularity, order, dtype, layout, fault };

/** Bits of the shadow of a byte of device memory. */
constexpr unsigned char ALLOCATED = 1, WRITTEN = 2;

/** Bytes of a note, of which there is one for each byte of device memory. */
constexpr std::uint64_t NOTE_BYTES = 2;

struct Machine {
  /** Device memory as the host sees it. Addresses that kernels get lie here. */
  char *base;
  std::uint64_t bytes;
  /** A byte for each byte of device memory. */
  unsigned char *shadow;
  /** Notes that the family's runtime makes of device memory, of two kinds; zeros at first, and again where memory is freed. */
  void *notes[2];
  /** How many barriers or cores there were so far in everything that ran on the device: every program goes on counting. */
  unsigned *clock;
  /** Threads that run in step, for families that have them. */
  unsigned subgroupThreads;
  /** A number of the chip. */
  long long (*fact)(const char *name);
  /** Says what lies at a device address, for messages: never null, overwritten by the next call. */
  const char *(*describe)(const void *address, std::uint64_t bytes);
};

/** What stopped a launch. */
struct Violation {
  Rule rule;
  char text[480];
};

/** One kernel of a program, as the unit that holds it describes it. */
struct KernelEntry {
  const char *name;
  /** Calls it with the values that `params` points to, one each. */
  void (*call)(void *const *params);
  /** Bytes of each parameter. */
  const unsigned short *paramBytes;
  int params;
  /** Most threads of a block that it was compiled for; 0: any. */
  unsigned maxThreads;
};

/** A variable that the threads of a block share, found in the program's symbols. */
struct SharedVariable {
  char *address;
  std::uint64_t bytes;
  const char *kernel;
  const char *name;
  /** Of cores with scratchpads: in a matrix unit's own memory of factor b, as its name says. */
  bool isApart;
};

struct Launch {
  const KernelEntry *kernel;
  void *const *params;
  unsigned grid[3];
  unsigned block[3];
  /** Bytes of shared memory asked for by the launch itself. */
  unsigned sharedBytes;
};

/** Symbols that the runtime of every program exports: given the machine once, then launches. */
using LoadFunction = void (*)(const Machine *, const SharedVariable *, int count);
/** False, and `violation` filled, where the kernel broke a rule; it was stopped there. */
using RunFunction = bool (*)(const Launch *, Violation *violation);
/** All kernels; ends with one without a name. */
using KernelsFunction = const KernelEntry *const *(*)();

}  // namespace anychip
