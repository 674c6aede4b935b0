// See gpu.h.
#include "gpu.h"

namespace anychip {

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

static int badHandle(const char *kind, const void *handle) { return say(Rule::freed, "%s %p was destroyed or never made", kind, handle), INVALID_HANDLE; }

template <class T>
int Gpu::drop(T *object, const char *kind) {
  if (!alive_.erase(object)) return badHandle(kind, object);
  delete object;
  return SUCCESS;
}

void Gpu::reset() {
  worker_.reset();
  memory_.reset();
}

int Gpu::allocate(void **out, std::size_t bytes) {
  if (bytes == 0) return say(Rule::limit, "an allocation of no bytes"), INVALID_VALUE;
  *out = memory_.allocate(bytes);
  return *out ? SUCCESS : OUT_OF_MEMORY;
}

/** As real ones do, it waits for work under way, which may use the memory. */
int Gpu::free(void *address) {
  if (int status = worker_.finish()) return status;
  return memory_.free(address) ? SUCCESS : INVALID_VALUE;
}

int Gpu::copy(Way way, void *to, const void *from, std::size_t bytes, Stream *stream) {
  if (!isAlive(stream)) return badHandle("stream", stream);
  const char *what = way == Way::in ? "a copy from the host" : way == Way::out ? "a copy to the host" : "a copy";
  if (memory_.isDevice(to) != (way != Way::out) || memory_.isDevice(from) != (way != Way::in))
    return say(Rule::host, "%s from %p to %p: one side is not where the call says", what, from, to), INVALID_VALUE;
  // The ends are known now, as a real driver knows them; what was written is known when the copy's turn comes.
  if (way != Way::out && memory_.checkWrite(what, to, bytes) != Rule::none) return INVALID_VALUE;
  return worker_.enqueue(stream, [this, what, to, from, bytes] { return statusOf(memory_.copy(what, to, from, bytes)); });
}

int Gpu::loadModule(Module **out, const void *image) {
  std::unique_ptr<Module> module(new Module);
  module->program = Program::load(image, architecture_, memory_);
  if (!module->program) return INVALID_IMAGE;
  return give(out, module.release());
}

int Gpu::unloadModule(Module *module) {
  if (int status = worker_.finish()) return status;
  if (isAlive(module))
    for (auto &function : module->functions) alive_.erase(function.get());
  return drop(module, "module");
}

int Gpu::findKernel(Function **out, Module *module, const char *name) {
  if (!isAlive(module)) return badHandle("module", module);
  const KernelEntry *kernel = module->program->find(name);
  if (!kernel) return NOT_FOUND;
  module->functions.emplace_back(new Function{module, kernel});
  return give(out, module->functions.back().get());
}

static bool isTooLarge(const KernelEntry *kernel, const char *what, unsigned long long asked, long long most) {
  if (asked <= static_cast<unsigned long long>(most)) return false;
  say(Rule::limit, "kernel %s: %llu %s, at most %lld are allowed", kernel->name, asked, what, most);
  return true;
}

static long long factOr(const char *name, long long common) { return hasFact(name) ? fact(name) : common; }

/** Whether a launch has more blocks or threads along an axis than the chip takes: where it has no number of its own, what GPUs of this shape have. */
static bool isTooWide(const KernelEntry *kernel, const unsigned (&grid)[3], const unsigned (&block)[3]) {
  const struct {
    const char *what, *fact;
    unsigned asked;
    long long common;
  } axes[] = {
      {"blocks along x", "gridX", grid[0], 2147483647}, {"blocks along y", "gridY", grid[1], 65535}, {"blocks along z", "gridZ", grid[2], 65535},
      {"threads along x", "blockX", block[0], 1024},    {"threads along y", "blockY", block[1], 1024}, {"threads along z", "blockZ", block[2], 64},
  };
  for (auto &axis : axes)
    if (isTooLarge(kernel, axis.what, axis.asked, factOr(axis.fact, axis.common))) return true;
  return false;
}

int Gpu::allowShared(Function *function, int bytes) {
  if (!isAlive(function)) return badHandle("kernel", function);
  const long long most = hasFact("givenSharedBytes") ? fact("givenSharedBytes") : fact("sharedBytes");
  if (bytes < 0 || isTooLarge(function->kernel, "bytes of shared memory that launches may give", static_cast<unsigned long long>(bytes), most)) return INVALID_VALUE;
  return function->allowedShared = bytes, SUCCESS;
}

int Gpu::launch(Function *function, const unsigned (&grid)[3], const unsigned (&block)[3], unsigned sharedBytes, Stream *stream, void **params, void **extra) {
  if (!isAlive(function)) return badHandle("kernel", function);
  if (!isAlive(stream)) return badHandle("stream", stream);
  const KernelEntry *kernel = function->kernel;
  const unsigned long long threads = 1ull * block[0] * block[1] * block[2];
  if (threads == 0 || grid[0] == 0 || grid[1] == 0 || grid[2] == 0) return say(Rule::limit, "kernel %s: an empty grid", kernel->name), INVALID_VALUE;
  if (extra || (!params && kernel->params > 0)) return say(Rule::limit, "kernel %s: no list of parameters", kernel->name), INVALID_VALUE;
  if (isTooLarge(kernel, "threads in a block", threads, fact("maxThreads"))) return INVALID_VALUE;
  if (isTooWide(kernel, grid, block)) return INVALID_VALUE;
  if (kernel->maxThreads && isTooLarge(kernel, "threads in a block that was compiled for fewer", threads, kernel->maxThreads)) return LAUNCH_OUT_OF_RESOURCES;
  const auto shared = function->module->program->sharedBytes(kernel) + sharedBytes;
  const auto allowed = function->allowedShared ? function->allowedShared + static_cast<long long>(function->module->program->sharedBytes(kernel)) : fact("sharedBytes");
  if (isTooLarge(kernel, "bytes of shared memory", shared, allowed)) return LAUNCH_OUT_OF_RESOURCES;
  if (isTooLarge(kernel, "bytes of shared memory used that the launch gives", function->module->program->givenBytes(kernel), sharedBytes)) return LAUNCH_OUT_OF_RESOURCES;
  if (isFaulty("launch")) return say(Rule::fault, "this launch of %s fails, as ANYCHIP_FAULT asks", kernel->name), LAUNCH_FAILED;
  const bool hangs = isFaulty("hang");
  const Launch shape{kernel, nullptr, {grid[0], grid[1], grid[2]}, {block[0], block[1], block[2]}, sharedBytes};
  auto args = std::make_shared<Arguments>(kernel, params);
  const Program *program = function->module->program.get();
  return worker_.enqueue(stream, [this, shape, args, program, hangs] {
    if (hangs) {
      say(Rule::fault, "kernel %s hangs, as ANYCHIP_FAULT asks", shape.kernel->name);
      worker_.hang();
    }
    Launch launch = shape;
    launch.params = args->pointers();
    return statusOf(program->run(launch));
  });
}

int Gpu::createStream(Stream **out) { return give(out, new Stream); }
int Gpu::destroyStream(Stream *stream) {
  if (isAlive(stream)) worker_.wait(stream);
  return drop(stream, "stream");
}
int Gpu::wait(Stream *stream) {
  if (!isAlive(stream)) return badHandle("stream", stream);
  return stream->recording ? STREAM_CAPTURE_UNSUPPORTED : worker_.wait(stream);
}
int Gpu::poll(Stream *stream) {
  if (!isAlive(stream)) return badHandle("stream", stream);
  if (stream->recording) return STREAM_CAPTURE_UNSUPPORTED;
  return worker_.isDone(stream) ? worker_.status() : NOT_READY;
}

int Gpu::createEvent(Event **out) { return give(out, new Event); }
int Gpu::destroyEvent(Event *event) {
  if (isAlive(event)) worker_.wait(event);
  return drop(event, "event");
}
int Gpu::record(Event *event, Stream *stream) {
  if (!isAlive(event)) return badHandle("event", event);
  if (!isAlive(stream)) return badHandle("stream", stream);
  return stream->recording ? STREAM_CAPTURE_UNSUPPORTED : worker_.record(event, stream);
}
int Gpu::elapsed(float *millis, Event *from, Event *to) {
  if (!isAlive(from) || !isAlive(to) || !from->isRecorded || !to->isRecorded) return say(Rule::order, "the time between events, one of which was never recorded"), INVALID_HANDLE;
  if (!worker_.isDone(from) || !worker_.isDone(to)) return NOT_READY;
  *millis = std::chrono::duration<float, std::milli>(to->at - from->at).count();
  return SUCCESS;
}

int Gpu::beginCapture(Stream *stream) {
  if (!isAlive(stream)) return badHandle("stream", stream);
  if (stream->recording) return STREAM_CAPTURE_UNSUPPORTED;
  auto *graph = new Graph;
  alive_.insert(graph);
  stream->recording = &graph->tasks;
  return SUCCESS;
}
int Gpu::endCapture(Stream *stream, Graph **out) {
  if (!isAlive(stream) || !stream->recording) return say(Rule::order, "a capture ends that did not begin"), INVALID_VALUE;
  // A graph's tasks are its first member.
  *out = reinterpret_cast<Graph *>(stream->recording);
  stream->recording = nullptr;
  return SUCCESS;
}
int Gpu::instantiate(Graph **out, Graph *graph) { return isAlive(graph) ? give(out, new Graph(*graph)) : badHandle("graph", graph); }
int Gpu::launchGraph(Graph *graph, Stream *stream) {
  if (!isAlive(graph)) return badHandle("graph", graph);
  if (!isAlive(stream)) return badHandle("stream", stream);
  for (auto &task : graph->tasks)
    if (int status = worker_.enqueue(stream, task)) return status;
  return SUCCESS;
}
/** What runs holds copies of its tasks. */
int Gpu::destroyGraph(Graph *graph) { return drop(graph, "graph"); }

}  // namespace anychip
