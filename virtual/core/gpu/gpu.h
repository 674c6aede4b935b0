// What drivers of CUDA's shape do, whatever their functions are called: memory, streams, events, modules, launches, graphs. A vendor's
// folder spells it. Statuses are CUDA's numbers, which the others took over; one whose own differ says so in its names.h.
#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../memory.h"
#include "../program.h"
#include "../report.h"
#include "../work.h"

namespace anychip {

enum Status : int {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  INVALID_DEVICE = 101,
  INVALID_HANDLE = 400,
  NOT_READY = 600,
  LAUNCH_FAILED = 719,
  STREAM_CAPTURE_UNSUPPORTED = 900,
#ifdef OWN_STATUSES
  OWN_STATUSES
#else
  NOT_INITIALIZED = 3,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  NOT_FOUND = 500,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_OUT_OF_RESOURCES = 701,
  MISALIGNED_ADDRESS = 716,
#endif
};

/** What a real driver answers to a broken rule; the message says which it was. */
int statusOf(Rule rule);

struct Graph {
  std::vector<Task> tasks;
};
struct Function;
struct Module {
  std::unique_ptr<Program> program;
  std::vector<std::unique_ptr<Function>> functions;
};
struct Function {
  Module *module;
  const KernelEntry *kernel;
  /** Bytes of shared memory that launches may give; 0 where nothing was said. */
  int allowedShared = 0;
};

/** The one device of a library. After a fault every call answers it, until `reset`. */
class Gpu {
 public:
  /** What programs are for, as its compiler spells it. */
  explicit Gpu(std::string architecture) : architecture_(std::move(architecture)) {}
  int status() { return worker_.status(); }
  /** Drops work and memory, and forgets a fault. */
  void reset();

  std::size_t freeBytes() { return memory_.freeBytes(); }
  std::size_t totalBytes() const { return memory_.totalBytes(); }
  int allocate(void **out, std::size_t bytes);
  int free(void *address);
  enum class Way { in, out, within };
  int copy(Way way, void *to, const void *from, std::size_t bytes, Stream *stream);

  int loadModule(Module **out, const void *image);
  int unloadModule(Module *module);
  int findKernel(Function **out, Module *module, const char *name);
  /** Lets launches of the kernel give it so much shared memory. */
  int allowShared(Function *function, int bytes);
  int launch(Function *function, const unsigned (&grid)[3], const unsigned (&block)[3], unsigned sharedBytes, Stream *stream, void **params, void **extra);

  int createStream(Stream **out);
  int destroyStream(Stream *stream);
  int wait(Stream *stream);
  int poll(Stream *stream);
  int wait() { return worker_.finish(); }

  int createEvent(Event **out);
  int destroyEvent(Event *event);
  int record(Event *event, Stream *stream);
  int elapsed(float *millis, Event *from, Event *to);

  int beginCapture(Stream *stream);
  int endCapture(Stream *stream, Graph **out);
  int instantiate(Graph **out, Graph *graph);
  int launchGraph(Graph *graph, Stream *stream);
  int destroyGraph(Graph *graph);

 private:
  template <class T>
  bool isAlive(T *object) const {
    return alive_.count(object) != 0;
  }
  template <class T>
  int give(T **out, T *object) {
    alive_.insert(object);
    return *out = object, SUCCESS;
  }
  template <class T>
  int drop(T *object, const char *kind);

  const std::string architecture_;
  Memory memory_{static_cast<std::uint64_t>(fact("memoryBytes"))};
  Worker worker_;
  /** Handles that were given out and not taken back. */
  std::set<void *> alive_;
};

}  // namespace anychip
