// What kernels of a family of grids of threads can ask: who they are, and to wait for each other. Headers of kernel languages spell it.
#pragma once

#include "../machine.h"

namespace anychip {

struct Index {
  unsigned x, y, z;
};
struct Thread {
  Index thread, threads, block, blocks;
  /** The number of the thread in its block. */
  unsigned flat;
};

}  // namespace anychip

/** Of the thread that runs. */
extern "C" __attribute__((visibility("hidden"))) anychip::Thread anychip_thread;
/** Waits until all threads of the block, or of the subgroup, are there. `line`: where, so that threads at different places are told apart. */
extern "C" __attribute__((visibility("hidden"))) void anychip_sync_block(int line);
extern "C" __attribute__((visibility("hidden"))) void anychip_sync_subgroup(int line);
/**
 * Copies of a thread into memory of the block, beside what it does: begun, closed into groups, and awaited, all groups but the last
 * `pending`. Until then that memory is nobody's. `isThere`: otherwise zeros.
 */
extern "C" __attribute__((visibility("hidden"))) void anychip_fetch(void *to, const void *from, unsigned bytes, bool isThere);
extern "C" __attribute__((visibility("hidden"))) void anychip_fetch_commit(void);
extern "C" __attribute__((visibility("hidden"))) void anychip_fetch_await(unsigned pending);
/** Threads that run in step on this chip. */
extern "C" __attribute__((visibility("hidden"))) unsigned anychip_subgroup_threads;
/** Gives `word` to the thread's subgroup and takes that of lane `from`. All of the subgroup must be there, at the same line; memory is not ordered by it. */
extern "C" __attribute__((visibility("hidden"))) unsigned long long anychip_exchange(unsigned long long word, unsigned from, int line);
