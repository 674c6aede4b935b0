// The functions that drivers of CUDA's shape have under names alike: NAME(…), and NAME2(…) for those whose second version is the one in
// use, of the names.h of a vendor. What a vendor's interface has of its own, `enter` among it, follows in its folder.
#include <cstdio>
#include <string>

#include "gpu.cpp"

using namespace anychip;

#define DRIVER extern "C" __attribute__((visibility("default"))) int

namespace {

/** Never destroyed: its thread may outlive `main`. */
Gpu &gpu() {
  static Gpu *only = new Gpu(ARCHITECTURE_PREFIX + std::to_string(fact("architecture")));
  return *only;
}

/** Whether the calling thread may use the device now: SUCCESS, or what every call answers. */
int enter();

}  // namespace

#define ENTER                            \
  if (int entered = enter(); entered) { \
    return entered;                      \
  }

DRIVER NAME(DriverGetVersion)(int *version) { return *version = static_cast<int>(fact("driverVersion")), SUCCESS; }
DRIVER NAME(DeviceGet)(int *out, int ordinal) { return ordinal == 0 ? (*out = 0, SUCCESS) : INVALID_DEVICE; }
DRIVER NAME(DeviceGetName)(char *name, int bytes, int) { return std::snprintf(name, static_cast<std::size_t>(bytes), "%s", chip.title), SUCCESS; }
DRIVER NAME2(DeviceTotalMem)(std::size_t *bytes, int) { return *bytes = gpu().totalBytes(), SUCCESS; }
DRIVER NAME2(MemGetInfo)(std::size_t *free, std::size_t *total) {
  ENTER
  return *free = gpu().freeBytes(), *total = gpu().totalBytes(), SUCCESS;
}

DRIVER NAME2(MemcpyHtoDAsync)(void *to, const void *from, std::size_t bytes, Stream *stream) {
  ENTER
  return gpu().copy(Gpu::Way::in, to, from, bytes, stream);
}
DRIVER NAME2(MemcpyDtoHAsync)(void *to, const void *from, std::size_t bytes, Stream *stream) {
  ENTER
  return gpu().copy(Gpu::Way::out, to, from, bytes, stream);
}
DRIVER NAME2(MemcpyDtoDAsync)(void *to, const void *from, std::size_t bytes, Stream *stream) {
  ENTER
  return gpu().copy(Gpu::Way::within, to, from, bytes, stream);
}

DRIVER NAME(ModuleLoadData)(Module **out, const void *image) {
  ENTER
  return gpu().loadModule(out, image);
}
DRIVER NAME(ModuleUnload)(Module *module) {
  ENTER
  return gpu().unloadModule(module);
}
DRIVER NAME(ModuleGetFunction)(Function **out, Module *module, const char *name) {
  ENTER
  return gpu().findKernel(out, module, name);
}

DRIVER NAME2(StreamDestroy)(Stream *stream) { return gpu().destroyStream(stream); }
DRIVER NAME(StreamSynchronize)(Stream *stream) {
  ENTER
  return gpu().wait(stream);
}
DRIVER NAME(StreamQuery)(Stream *stream) {
  ENTER
  return gpu().poll(stream);
}

DRIVER NAME2(EventDestroy)(Event *event) { return gpu().destroyEvent(event); }
DRIVER NAME(EventRecord)(Event *event, Stream *stream) {
  ENTER
  return gpu().record(event, stream);
}
DRIVER NAME(EventElapsedTime)(float *millis, Event *from, Event *to) {
  ENTER
  return gpu().elapsed(millis, from, to);
}

DRIVER NAME2(StreamBeginCapture)(Stream *stream, int) {
  ENTER
  return gpu().beginCapture(stream);
}
DRIVER NAME(StreamEndCapture)(Stream *stream, Graph **out) {
  ENTER
  return gpu().endCapture(stream, out);
}
DRIVER NAME(GraphInstantiateWithFlags)(Graph **out, Graph *graph, unsigned long long) {
  ENTER
  return gpu().instantiate(out, graph);
}
DRIVER NAME(GraphLaunch)(Graph *graph, Stream *stream) {
  ENTER
  return gpu().launchGraph(graph, stream);
}
DRIVER NAME(GraphDestroy)(Graph *graph) { return gpu().destroyGraph(graph); }
DRIVER NAME(GraphExecDestroy)(Graph *graph) { return gpu().destroyGraph(graph); }
