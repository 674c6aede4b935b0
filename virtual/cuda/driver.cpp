// The driver interface of CUDA over host memory, as far as anychip calls it: names and numbers from the CUDA driver API reference.
// Vendors that took the interface over give its functions names of their own: NAME(…) in their names.h.
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "../core/memory.h"
#include "../core/program.h"
#include "../core/report.h"
#include "../core/work.h"

using namespace anychip;

#define DRIVER extern "C" __attribute__((visibility("default"))) int

namespace {

enum Status {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  NO_BINARY_FOR_GPU = 209,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_OUT_OF_RESOURCES = 701,
  MISALIGNED_ADDRESS = 716,
  LAUNCH_FAILED = 719,
  STREAM_CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
};

struct Name {
  int status;
  const char *name;
};
const Name names[] = {
    {INVALID_VALUE, "INVALID_VALUE"}, {OUT_OF_MEMORY, "OUT_OF_MEMORY"}, {NOT_INITIALIZED, "NOT_INITIALIZED"}, {INVALID_DEVICE, "INVALID_DEVICE"},
    {INVALID_IMAGE, "INVALID_IMAGE"}, {INVALID_CONTEXT, "INVALID_CONTEXT"}, {NO_BINARY_FOR_GPU, "NO_BINARY_FOR_GPU"}, {INVALID_HANDLE, "INVALID_HANDLE"},
    {NOT_FOUND, "NOT_FOUND"}, {NOT_READY, "NOT_READY"}, {ILLEGAL_ADDRESS, "ILLEGAL_ADDRESS"}, {LAUNCH_OUT_OF_RESOURCES, "LAUNCH_OUT_OF_RESOURCES"},
    {MISALIGNED_ADDRESS, "MISALIGNED_ADDRESS"}, {LAUNCH_FAILED, "LAUNCH_FAILED"}, {STREAM_CAPTURE_UNSUPPORTED, "STREAM_CAPTURE_UNSUPPORTED"},
    {CAPTURE_INVALIDATED, "STREAM_CAPTURE_INVALIDATED"},
};

/** What a real driver answers to a broken rule; the message says which it was. */
int statusOf(Rule rule) {
  switch (rule) {
    case Rule::none: return SUCCESS;
    case Rule::bounds:
    case Rule::freed:
    case Rule::host: return ILLEGAL_ADDRESS;
    case Rule::misaligned: return MISALIGNED_ADDRESS;
    case Rule::limit: return LAUNCH_OUT_OF_RESOURCES;
    default: return LAUNCH_FAILED;
  }
}

struct Graph {
  std::vector<Task> tasks;
  bool isValid = true;
};

struct Function;
struct Module {
  std::unique_ptr<Program> program;
  std::vector<std::unique_ptr<Function>> functions;
};
struct Function {
  Module *module;
  const KernelEntry *kernel;
};

/** All of the device; never destroyed, because its thread may outlive `main`. */
struct Device {
  Memory memory{static_cast<std::uint64_t>(fact("memoryBytes"))};
  Worker worker;
  bool isInitialized = false;
  int retained = 0;
  std::set<void *> alive;
};
Device &device() {
  static Device *only = new Device;
  return *only;
}
int contextObject;
thread_local void *current;

/** Whether the calling thread may use the device now; a fault stays until the context is gone. */
int enter() {
  if (!device().isInitialized) return say(Rule::order, "a call before the driver was started"), NOT_INITIALIZED;
  if (current != &contextObject || device().retained == 0) return say(Rule::order, "a call from a thread that has no context of the device"), INVALID_CONTEXT;
  return device().worker.status();
}
#define ENTER                            \
  if (int entered = enter(); entered) { \
    return entered;                      \
  }

template <class T>
bool isAlive(T *object) {
  return device().alive.count(object) != 0;
}
template <class T>
int give(T **out, T *object) {
  device().alive.insert(object);
  return *out = object, SUCCESS;
}
template <class T>
int drop(T *object, const char *kind) {
  if (!device().alive.erase(object)) return say(Rule::freed, "%s %p was destroyed before or never made", kind, static_cast<void *>(object)), INVALID_HANDLE;
  delete object;
  return SUCCESS;
}
int badStream(void *stream) { return say(Rule::freed, "stream %p was destroyed or never made", stream), INVALID_HANDLE; }

int copy(const char *what, void *to, const void *from, std::size_t bytes, bool toDevice, bool fromDevice, Stream *stream) {
  ENTER
  if (!isAlive(stream)) return badStream(stream);
  Memory &memory = device().memory;
  if (memory.isDevice(to) != toDevice || memory.isDevice(from) != fromDevice) return say(Rule::host, "%s from %p to %p: one side is not where the call says", what, from, to), INVALID_VALUE;
  // The ends are known now, as a real driver knows them; what was written is known when the copy's turn comes.
  if (toDevice && memory.checkWrite(what, to, bytes) != Rule::none) return INVALID_VALUE;
  return device().worker.enqueue(stream, [what, to, from, bytes] { return statusOf(device().memory.copy(what, to, from, bytes)); });
}

std::string architecture() { return "sm_" + std::to_string(fact("architecture")); }

}  // namespace

DRIVER NAME(Init)(unsigned flags) {
  if (flags != 0) return INVALID_VALUE;
  device().isInitialized = true;
  return SUCCESS;
}
DRIVER NAME(DriverGetVersion)(int *version) { return *version = static_cast<int>(fact("driverVersion")), SUCCESS; }
DRIVER NAME(DeviceGetCount)(int *count) { return *count = 1, SUCCESS; }
DRIVER NAME(DeviceGet)(int *out, int ordinal) { return ordinal == 0 ? (*out = 0, SUCCESS) : INVALID_DEVICE; }
DRIVER NAME(DeviceGetName)(char *name, int bytes, int) { return std::snprintf(name, static_cast<std::size_t>(bytes), "%s", chip.title), SUCCESS; }
DRIVER NAME(DeviceGetAttribute)(int *value, int attribute, int) {
  const struct {
    int attribute;
    const char *fact;
  } known[] = {{1, "maxThreads"}, {8, "sharedBytes"}, {10, "subgroupThreads"}, {16, "units"}, {81, "sharedBytesPerUnit"}, {97, "sharedBytesOptIn"}};
  for (auto &row : known)
    if (row.attribute == attribute) return *value = static_cast<int>(fact(row.fact)), SUCCESS;
  if (attribute == 75) return *value = static_cast<int>(fact("architecture") / 10), SUCCESS;
  if (attribute == 76) return *value = static_cast<int>(fact("architecture") % 10), SUCCESS;
  return INVALID_VALUE;
}
DRIVER NAME2(DeviceTotalMem)(std::size_t *bytes, int) { return *bytes = device().memory.totalBytes(), SUCCESS; }

DRIVER NAME(DevicePrimaryCtxRetain)(void **context, int) { return device().retained++, *context = &contextObject, SUCCESS; }
DRIVER NAME2(DevicePrimaryCtxRelease)(int) {
  if (device().retained == 0) return INVALID_CONTEXT;
  if (--device().retained > 0) return SUCCESS;
  // The last one takes all that is left along, a fault too.
  device().worker.reset();
  device().memory.reset();
  return SUCCESS;
}
DRIVER NAME(CtxSetCurrent)(void *context) { return current = context, SUCCESS; }
DRIVER NAME2(MemGetInfo)(std::size_t *free, std::size_t *total) {
  ENTER
  *free = device().memory.freeBytes();
  *total = device().memory.totalBytes();
  return SUCCESS;
}

DRIVER NAME2(MemAlloc)(void **out, std::size_t bytes) {
  ENTER
  if (bytes == 0) return say(Rule::limit, "an allocation of no bytes"), INVALID_VALUE;
  *out = device().memory.allocate(bytes);
  return *out ? SUCCESS : OUT_OF_MEMORY;
}
/** As the real one does, it waits for work under way, which may use the memory. */
DRIVER NAME2(MemFree)(void *address) {
  ENTER
  if (int status = device().worker.finish()) return status;
  return device().memory.free(address) ? SUCCESS : INVALID_VALUE;
}
DRIVER NAME2(MemcpyHtoDAsync)(void *to, const void *from, std::size_t bytes, Stream *stream) { return copy("a copy from the host", to, from, bytes, true, false, stream); }
DRIVER NAME2(MemcpyDtoHAsync)(void *to, const void *from, std::size_t bytes, Stream *stream) { return copy("a copy to the host", to, from, bytes, false, true, stream); }
DRIVER NAME2(MemcpyDtoDAsync)(void *to, const void *from, std::size_t bytes, Stream *stream) { return copy("a copy", to, from, bytes, true, true, stream); }

DRIVER NAME(ModuleLoadData)(Module **out, const void *image) {
  ENTER
  std::unique_ptr<Module> module(new Module);
  module->program = Program::load(image, architecture(), device().memory);
  if (!module->program) return INVALID_IMAGE;
  return give(out, module.release());
}
DRIVER NAME(ModuleUnload)(Module *module) {
  ENTER
  if (int status = device().worker.finish()) return status;
  if (isAlive(module))
    for (auto &function : module->functions) device().alive.erase(function.get());
  return drop(module, "module");
}
DRIVER NAME(ModuleGetFunction)(Function **out, Module *module, const char *name) {
  ENTER
  if (!isAlive(module)) return say(Rule::freed, "module %p was unloaded or never loaded", static_cast<void *>(module)), INVALID_HANDLE;
  const KernelEntry *kernel = module->program->find(name);
  if (!kernel) return NOT_FOUND;
  module->functions.emplace_back(new Function{module, kernel});
  return give(out, module->functions.back().get());
}

static bool isTooLarge(const KernelEntry *kernel, const char *what, unsigned long long asked, unsigned long long most) {
  if (asked <= most) return false;
  say(Rule::limit, "kernel %s: %llu %s, at most %llu are allowed", kernel->name, asked, what, most);
  return true;
}

DRIVER NAME(LaunchKernel)(Function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, Stream *stream, void **params, void **extra) {
  ENTER
  if (!isAlive(function)) return say(Rule::freed, "kernel %p belongs to no loaded module", static_cast<void *>(function)), INVALID_HANDLE;
  if (!isAlive(stream)) return badStream(stream);
  const KernelEntry *kernel = function->kernel;
  const unsigned long long threads = 1ull * bx * by * bz;
  if (threads == 0 || gx == 0 || gy == 0 || gz == 0 || extra || (!params && kernel->params > 0)) return say(Rule::limit, "kernel %s: an empty grid, or no parameters", kernel->name), INVALID_VALUE;
  if (isTooLarge(kernel, "threads in a block", threads, static_cast<unsigned long long>(fact("maxThreads")))) return INVALID_VALUE;
  if (isTooLarge(kernel, "blocks along x", gx, 2147483647) || isTooLarge(kernel, "blocks along y", gy, 65535) || isTooLarge(kernel, "blocks along z", gz, 65535)) return INVALID_VALUE;
  if (kernel->maxThreads && isTooLarge(kernel, "threads in a block that was compiled for fewer", threads, kernel->maxThreads)) return LAUNCH_OUT_OF_RESOURCES;
  const auto declared = function->module->program->sharedBytes(kernel);
  if (isTooLarge(kernel, "bytes of shared memory", declared + shared, static_cast<unsigned long long>(fact("sharedBytes")))) return LAUNCH_OUT_OF_RESOURCES;
  if (isFaulty("launch")) return say(Rule::fault, "this launch of %s fails, as ANYCHIP_FAULT asks", kernel->name), LAUNCH_FAILED;
  const bool hangs = isFaulty("hang");
  auto args = std::make_shared<Arguments>(kernel, params);
  return device().worker.enqueue(stream, [=] {
    if (hangs) {
      say(Rule::fault, "kernel %s hangs, as ANYCHIP_FAULT asks", kernel->name);
      device().worker.hang();
    }
    const Launch launch{kernel, args->pointers(), {gx, gy, gz}, {bx, by, bz}, shared};
    return statusOf(function->module->program->run(launch));
  });
}

DRIVER NAME(StreamCreate)(Stream **out, unsigned flags) {
  ENTER
  if (flags > 1) return INVALID_VALUE;
  return give(out, new Stream);
}
DRIVER NAME2(StreamDestroy)(Stream *stream) {
  if (!isAlive(stream)) return badStream(stream);
  device().worker.wait(stream);
  return drop(stream, "stream");
}
DRIVER NAME(StreamSynchronize)(Stream *stream) {
  ENTER
  if (!isAlive(stream)) return badStream(stream);
  if (stream->recording) return STREAM_CAPTURE_UNSUPPORTED;
  return device().worker.wait(stream);
}
DRIVER NAME(StreamQuery)(Stream *stream) {
  ENTER
  if (!isAlive(stream)) return badStream(stream);
  if (stream->recording) return STREAM_CAPTURE_UNSUPPORTED;
  return device().worker.isDone(stream) ? device().worker.status() : NOT_READY;
}

DRIVER NAME(EventCreate)(Event **out, unsigned) {
  ENTER
  return give(out, new Event);
}
DRIVER NAME2(EventDestroy)(Event *event) {
  if (isAlive(event)) device().worker.wait(event);
  return drop(event, "event");
}
DRIVER NAME(EventRecord)(Event *event, Stream *stream) {
  ENTER
  if (!isAlive(event) || !isAlive(stream)) return INVALID_HANDLE;
  if (stream->recording) return STREAM_CAPTURE_UNSUPPORTED;
  return device().worker.record(event, stream);
}
DRIVER NAME(EventElapsedTime)(float *millis, Event *from, Event *to) {
  ENTER
  if (!isAlive(from) || !isAlive(to) || !from->isRecorded || !to->isRecorded) return INVALID_HANDLE;
  if (!device().worker.isDone(from) || !device().worker.isDone(to)) return NOT_READY;
  *millis = std::chrono::duration<float, std::milli>(to->at - from->at).count();
  return SUCCESS;
}

DRIVER NAME2(StreamBeginCapture)(Stream *stream, int) {
  ENTER
  if (!isAlive(stream)) return badStream(stream);
  if (stream->recording) return STREAM_CAPTURE_UNSUPPORTED;
  auto *graph = new Graph;
  device().alive.insert(graph);
  stream->recording = &graph->tasks;
  return SUCCESS;
}
DRIVER NAME(StreamEndCapture)(Stream *stream, Graph **out) {
  ENTER
  if (!isAlive(stream) || !stream->recording) return say(Rule::order, "a capture ends that did not begin"), INVALID_VALUE;
  // A graph's tasks are its first member.
  *out = reinterpret_cast<Graph *>(stream->recording);
  stream->recording = nullptr;
  return SUCCESS;
}
DRIVER NAME(GraphInstantiateWithFlags)(Graph **out, Graph *graph, unsigned long long) {
  ENTER
  if (!isAlive(graph)) return INVALID_HANDLE;
  return give(out, new Graph(*graph));
}
DRIVER NAME(GraphLaunch)(Graph *graph, Stream *stream) {
  ENTER
  if (!isAlive(graph) || !isAlive(stream)) return INVALID_HANDLE;
  for (auto &task : graph->tasks)
    if (int status = device().worker.enqueue(stream, task)) return status;
  return SUCCESS;
}
/** What runs holds copies of its tasks. */
DRIVER NAME(GraphDestroy)(Graph *graph) { return drop(graph, "graph"); }
DRIVER NAME(GraphExecDestroy)(Graph *graph) { return drop(graph, "graph"); }

DRIVER NAME(GetErrorName)(int status, const char **text) {
  static thread_local std::string name;
  for (auto &row : names)
    if (row.status == status) return name = std::string(ERROR_PREFIX) + row.name, *text = name.c_str(), SUCCESS;
  return *text = nullptr, INVALID_VALUE;
}
/** The last message stands in for the driver's own text: it says which rule was broken. */
DRIVER NAME(GetErrorString)(int status, const char **text) {
  if (status == SUCCESS || status == NOT_READY) return *text = "", SUCCESS;
  return *text = lastMessage(), SUCCESS;
}
