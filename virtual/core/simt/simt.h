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
/** Threads that run in step on this chip. */
extern "C" __attribute__((visibility("hidden"))) unsigned anychip_subgroup_threads;
/** A word for each lane of the thread's subgroup, to exchange values through, with `anychip_sync_subgroup` between. */
extern "C" __attribute__((visibility("hidden"))) unsigned long long *anychip_lanes();
