// HIP's runtime over host memory, as far as anychip calls it: names and numbers from the HIP API reference. A device is current on a thread
// by its number, and there are no contexts. Vendors that took it over give its functions another prefix: NAME(…) in their names.h.
#include <cstdio>
#include <cstring>
#include <string>

#include "../core/gpu/gpu.cpp"

using namespace anychip;

#define RUNTIME extern "C" __attribute__((visibility("default"))) int

namespace {

/** Never destroyed: its thread may outlive `main`. */
Gpu &gpu() {
  static Gpu *only = new Gpu(ARCHITECTURE_PREFIX + std::to_string(fact("architecture")));
  return *only;
}

}  // namespace

/** A fault stays until the device is reset. */
#define ENTER                                 \
  if (int entered = gpu().status(); entered) { \
    return entered;                           \
  }

RUNTIME NAME(Init)(unsigned flags) { return flags == 0 ? SUCCESS : INVALID_VALUE; }
RUNTIME NAME(DriverGetVersion)(int *version) { return *version = static_cast<int>(fact("driverVersion")), SUCCESS; }
RUNTIME NAME(GetDeviceCount)(int *count) { return *count = 1, SUCCESS; }
RUNTIME NAME(DeviceGet)(int *out, int ordinal) { return ordinal == 0 ? (*out = 0, SUCCESS) : INVALID_DEVICE; }
RUNTIME NAME(SetDevice)(int ordinal) { return ordinal == 0 ? SUCCESS : INVALID_DEVICE; }
RUNTIME NAME(DeviceGetName)(char *name, int bytes, int) { return std::snprintf(name, static_cast<std::size_t>(bytes), "%s", chip.title), SUCCESS; }
RUNTIME NAME(DeviceTotalMem)(std::size_t *bytes, int) { return *bytes = gpu().totalBytes(), SUCCESS; }
RUNTIME NAME(DeviceReset)() { return gpu().reset(), SUCCESS; }
RUNTIME NAME(MemGetInfo)(std::size_t *free, std::size_t *total) {
  ENTER
  return *free = gpu().freeBytes(), *total = gpu().totalBytes(), SUCCESS;
}

RUNTIME NAME(Malloc)(void **out, std::size_t bytes) {
  ENTER
  return gpu().allocate(out, bytes);
}
RUNTIME NAME(Free)(void *address) {
  ENTER
  return gpu().free(address);
}
RUNTIME NAME(MemcpyHtoDAsync)(void *to, const void *from, std::size_t bytes, Stream *stream) {
  ENTER
  return gpu().copy(Gpu::Way::in, to, from, bytes, stream);
}
RUNTIME NAME(MemcpyDtoHAsync)(void *to, const void *from, std::size_t bytes, Stream *stream) {
  ENTER
  return gpu().copy(Gpu::Way::out, to, from, bytes, stream);
}
RUNTIME NAME(MemcpyDtoDAsync)(void *to, const void *from, std::size_t bytes, Stream *stream) {
  ENTER
  return gpu().copy(Gpu::Way::within, to, from, bytes, stream);
}

RUNTIME NAME(ModuleLoadData)(Module **out, const void *image) {
  ENTER
  return gpu().loadModule(out, image);
}
RUNTIME NAME(ModuleUnload)(Module *module) {
  ENTER
  return gpu().unloadModule(module);
}
RUNTIME NAME(ModuleGetFunction)(Function **out, Module *module, const char *name) {
  ENTER
  return gpu().findKernel(out, module, name);
}
RUNTIME NAME(ModuleLaunchKernel)(Function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, Stream *stream, void **params, void **extra) {
  ENTER
  return gpu().launch(function, {gx, gy, gz}, {bx, by, bz}, shared, stream, params, extra);
}

RUNTIME NAME(StreamCreate)(Stream **out) {
  ENTER
  return gpu().createStream(out);
}
RUNTIME NAME(StreamCreateWithFlags)(Stream **out, unsigned flags) {
  ENTER
  return flags > 1 ? INVALID_VALUE : gpu().createStream(out);
}
RUNTIME NAME(StreamDestroy)(Stream *stream) { return gpu().destroyStream(stream); }
RUNTIME NAME(StreamSynchronize)(Stream *stream) {
  ENTER
  return gpu().wait(stream);
}
RUNTIME NAME(StreamQuery)(Stream *stream) {
  ENTER
  return gpu().poll(stream);
}

RUNTIME NAME(EventCreate)(Event **out) {
  ENTER
  return gpu().createEvent(out);
}
RUNTIME NAME(EventCreateWithFlags)(Event **out, unsigned) {
  ENTER
  return gpu().createEvent(out);
}
RUNTIME NAME(EventDestroy)(Event *event) { return gpu().destroyEvent(event); }
RUNTIME NAME(EventRecord)(Event *event, Stream *stream) {
  ENTER
  return gpu().record(event, stream);
}
RUNTIME NAME(EventElapsedTime)(float *millis, Event *from, Event *to) {
  ENTER
  return gpu().elapsed(millis, from, to);
}

RUNTIME NAME(StreamBeginCapture)(Stream *stream, int) {
  ENTER
  return gpu().beginCapture(stream);
}
RUNTIME NAME(StreamEndCapture)(Stream *stream, Graph **out) {
  ENTER
  return gpu().endCapture(stream, out);
}
RUNTIME NAME(GraphInstantiateWithFlags)(Graph **out, Graph *graph, unsigned long long) {
  ENTER
  return gpu().instantiate(out, graph);
}
RUNTIME NAME(GraphLaunch)(Graph *graph, Stream *stream) {
  ENTER
  return gpu().launchGraph(graph, stream);
}
RUNTIME NAME(GraphDestroy)(Graph *graph) { return gpu().destroyGraph(graph); }
RUNTIME NAME(GraphExecDestroy)(Graph *graph) { return gpu().destroyGraph(graph); }

extern "C" __attribute__((visibility("default"))) const char *NAME(GetErrorName)(int status) {
  const struct {
    int status;
    const char *name;
  } names[] = {
      {INVALID_VALUE, ERROR_PREFIX "InvalidValue"},
      {OUT_OF_MEMORY, ERROR_PREFIX "OutOfMemory"},
      {INVALID_DEVICE, ERROR_PREFIX "InvalidDevice"},
      {INVALID_IMAGE, ERROR_PREFIX "InvalidImage"},
      {INVALID_HANDLE, ERROR_PREFIX "InvalidHandle"},
      {NOT_FOUND, ERROR_PREFIX "NotFound"},
      {NOT_READY, ERROR_PREFIX "NotReady"},
      {ILLEGAL_ADDRESS, ERROR_PREFIX "IllegalAddress"},
      {LAUNCH_OUT_OF_RESOURCES, ERROR_PREFIX "LaunchOutOfResources"},
      {LAUNCH_FAILED, ERROR_PREFIX "LaunchFailure"},
      {STREAM_CAPTURE_UNSUPPORTED, ERROR_PREFIX "StreamCaptureUnsupported"},
  };
  for (auto &row : names)
    if (row.status == status) return row.name;
  return ERROR_PREFIX "Unknown";
}
/** The last message stands in for the library's own text: it says which rule was broken. */
extern "C" __attribute__((visibility("default"))) const char *NAME(GetErrorString)(int status) { return status == SUCCESS || status == NOT_READY ? "" : lastMessage(); }
