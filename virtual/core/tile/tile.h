// What kernels of a family of cores with scratchpads can ask of the runtime: who they are, memory of the scratchpad, work for the pipes
// that run side by side, and to wait for them. Headers of kernel languages spell it.
#pragma once

#include <stdint.h>

#include "../machine.h"

namespace anychip {

/** Units of a core, each of which works in order. The last three are a matrix unit's. */
enum Pipe { SCALAR, VECTOR, IN, OUT, FILL, MATRIX, DRAIN, PIPES };
/** Memories of a core: the scratchpad, and those of a matrix unit. */
enum Space { PAD, STAGING, LEFT, RIGHT, SUMS, SPACES };
constexpr int FLAGS = 8;

/** What a language asks of its kernels beyond what the chip's facts say. */
struct Rules {
  /** Names of the pipes, for messages. */
  const char *pipes[PIPES];
  /** An instruction of the vector pipe that needs what another made has to wait for it. */
  bool vectorsWait;
  /** Scalar stores into global memory stay in a cache until it is written back. */
  bool storesAreCached;
  /** Names of the memories. */
  const char *spaces[SPACES];
};

}  // namespace anychip

#define ANYCHIP_TILE extern "C" __attribute__((visibility("hidden")))

/** Defined by the header of the language. */
ANYCHIP_TILE const anychip::Rules anychip_rules;

/** Number of the core that runs, from 0, and of all; for languages with clusters of cores. */
ANYCHIP_TILE unsigned anychip_core, anychip_cores, anychip_cluster_cores;
/** A number of the chip: its facts. */
ANYCHIP_TILE long long anychip_fact(const char *name);
/** Fresh memory of the core. Stops the kernel where it has not so much. */
ANYCHIP_TILE char *anychip_scratch(uint64_t bytes, uint64_t align, int space = anychip::PAD);
/** An instruction is given to a pipe. */
ANYCHIP_TILE void anychip_give(int pipe);
/** The last instruction of the pipe uses these bytes, of the scratchpad or of global memory. */
ANYCHIP_TILE void anychip_use(const void *address, uint64_t bytes, int pipe, bool writes);
/** The same of memory of the core, whether or not anything was written there. */
ANYCHIP_TILE void anychip_touch(const void *address, uint64_t bytes, int pipe, bool writes);
/** Whether these bytes of the core's memory were written, and that they now are, or are not. */
ANYCHIP_TILE bool anychip_is_written(const void *address, uint64_t bytes);
ANYCHIP_TILE void anychip_mark(const void *address, uint64_t bytes, bool isWritten);
/** The memory of the core that the address lies in; -1 for none. */
ANYCHIP_TILE int anychip_space(const void *address);
/** The variable that the address lies in, and its bytes; null for none. */
ANYCHIP_TILE char *anychip_variable(const void *address, uint64_t *bytes);
/** Whether the bytes lie in the scratchpad. */
ANYCHIP_TILE bool anychip_is_scratch(const void *address);
/** Whether the address is one of global memory. */
ANYCHIP_TILE bool anychip_is_global(const void *address);
/** Whether they lie on the core's stack. */
ANYCHIP_TILE bool anychip_is_stack(const void *address);
/** Memory of the host that an instruction computes in, of a few by their number; the next call for it may move it. */
ANYCHIP_TILE void *anychip_room(int number, uint64_t bytes);
/** sums[i][j] += a[i][s]·b[s][j] for s from 0, each product exact. `sums` is [rows, columns], a [rows, depth], b [depth, columns]. */
ANYCHIP_TILE void anychip_multiply(double *sums, const float *a, const float *b, uint32_t rows, uint32_t columns, uint32_t depth);
ANYCHIP_TILE void anychip_signal(int from, int to, int flag);
ANYCHIP_TILE void anychip_wait(int from, int to, int flag);
/** What `pipe` begins from now on comes after all that `of` was given. */
ANYCHIP_TILE void anychip_order(int of, int pipe);
/** Scalar stores are written back. */
ANYCHIP_TILE void anychip_flush();
ANYCHIP_TILE void anychip_stop(anychip::Rule rule, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/** Functions of headers, whose own accesses are checked by what they call. */
#define ANYCHIP_PLAIN __attribute__((no_sanitize_thread))
/** Those that go through many lanes, which the compiler may take together. */
#define ANYCHIP_LANES __attribute__((no_sanitize_thread, optimize("O3")))
/** What they do to one. */
#define ANYCHIP_LANE __attribute__((no_sanitize_thread, always_inline))
/** Parts of such functions. */
#define ANYCHIP_WITHIN __attribute__((no_sanitize_thread, always_inline)) inline
