/* What the invented chip's compiler gives every kernel: where a thread is, memory that its block shares, and the barrier. */
struct acme_core { int block, thread; void (*barrier)(void); };
#ifdef ACME_KERNEL
struct acme_core acme_core;
#define acme_kernel __attribute__((noinline))
#define acme_shared static
#define acme_block() acme_core.block
#define acme_thread() acme_core.thread
#define acme_barrier() acme_core.barrier()
#endif
