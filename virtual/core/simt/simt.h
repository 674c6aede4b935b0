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
/**
 * Products of matrix units that read memory of the block themselves, beside what the threads that hold a sum do: begun, closed into groups, and
 * settled, all groups but the last `pending`. Each thread computes its part of a sum.
 */
/** What memory of the block holds, once a product is told of it by `anychip_publish` of whoever wrote it and by a barrier. */
extern "C" __attribute__((visibility("hidden"))) void anychip_product_read(const void *from, unsigned bytes);
/** Keeps memory of the block from being written until the thread's group of products is settled. */
extern "C" __attribute__((visibility("hidden"))) void anychip_product_hold(const void *from, unsigned bytes);
/** The values of a sum under way: what `sum` holds is nobody's until they are settled. */
extern "C" __attribute__((visibility("hidden"))) float *anychip_product_sum(float *sum, unsigned count);
extern "C" __attribute__((visibility("hidden"))) void anychip_product_close(void);
extern "C" __attribute__((visibility("hidden"))) void anychip_product_settle(unsigned pending);
extern "C" __attribute__((visibility("hidden"))) void anychip_publish(void);
/** Threads that run in step on this chip. */
extern "C" __attribute__((visibility("hidden"))) unsigned anychip_subgroup_threads;
/** Gives `word` to the thread's subgroup and takes that of lane `from`. All of the subgroup must be there, at the same line; memory is not ordered by it. */
extern "C" __attribute__((visibility("hidden"))) unsigned long long anychip_exchange(unsigned long long word, unsigned from, int line);
