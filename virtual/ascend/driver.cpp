// The runtime of Ascend processors (ACL) over host memory, as far as anychip calls it. Names, signatures and numbers from its public
// headers (acl_rt.h, acl_base_rt.h, CANN 8).
#include <algorithm>
#include <string>

#include "../core/objects.h"

using namespace anychip;

#define ACL extern "C" __attribute__((visibility("default"))) int

namespace {

enum Status {
  SUCCESS = 0,
  REPEAT_INITIALIZE = 100002,
  PARAM_INVALID = 107000,
  INVALID_DEVICE = 107001,
  CONTEXT_NULL = 107002,
  STREAM_CONTEXT = 107003,
  INVALID_HANDLE = 107017,
  MEMORY_ALLOCATION = 207001,
  VECTOR_CORE_TIMEOUT = 507034,
  VECTOR_CORE_EXCEPTION = 507035,
};

int statusOf(Rule rule) { return rule == Rule::none ? SUCCESS : VECTOR_CORE_EXCEPTION; }

/** All of the device; never destroyed, because its thread may outlive `main`. */
struct Device : Objects {
  bool isInitialized = false;
  int users = 0;
};
Device &device() {
  static Device *only = new Device;
  return *only;
}
thread_local bool isCurrent;

int enter() {
  if (!device().isInitialized) return say(Rule::order, "a call before aclInit"), CONTEXT_NULL;
  if (!isCurrent || device().users == 0) return say(Rule::order, "a call from a thread that chose no device"), CONTEXT_NULL;
  return device().worker.status();
}
#define ENTER                            \
  if (int entered = enter(); entered) { \
    return entered;                      \
  }

/** Kinds of copies: whether the target and the source are on the device. */
enum CopyKind { HOST_TO_HOST, HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE };

}  // namespace

ACL aclInit(const char *) {
  if (device().isInitialized) return REPEAT_INITIALIZE;
  device().isInitialized = true;
  return SUCCESS;
}
ACL aclFinalize() { return device().isInitialized = false, SUCCESS; }
extern "C" __attribute__((visibility("default"))) const char *aclGetRecentErrMsg() { return lastMessage(); }
/** 'virtual Ascend 910B4' is an Ascend910B4. */
extern "C" __attribute__((visibility("default"))) const char *aclrtGetSocName() {
  static const std::string name = [] {
    std::string text = chip.title + sizeof "virtual";
    text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
    return text;
  }();
  return name.c_str();
}

ACL aclrtGetDeviceCount(std::uint32_t *count) { return *count = 1, SUCCESS; }
ACL aclrtSetDevice(std::int32_t ordinal) {
  if (ordinal != 0) return say(Rule::limit, "there is no device %d", ordinal), INVALID_DEVICE;
  if (!isCurrent) device().users++;
  isCurrent = true;
  return SUCCESS;
}
/** Others of this process may still use the device; after a fault there is nothing left to use. */
ACL aclrtResetDevice(std::int32_t ordinal) {
  if (ordinal != 0) return INVALID_DEVICE;
  if (device().worker.status() == SUCCESS) return SUCCESS;
  device().worker.reset();
  device().memory.reset();
  return SUCCESS;
}
ACL aclrtSynchronizeDevice() {
  ENTER
  return device().worker.finish();
}
/** The attribute chooses among kinds of memory, of which there is one. */
ACL aclrtGetMemInfo(int, std::size_t *free, std::size_t *total) {
  ENTER
  *free = device().memory.freeBytes();
  *total = device().memory.totalBytes();
  return SUCCESS;
}

ACL aclrtMalloc(void **out, std::size_t bytes, int) {
  ENTER
  if (bytes == 0) return say(Rule::limit, "an allocation of no bytes"), PARAM_INVALID;
  *out = device().memory.allocate(bytes);
  return *out ? SUCCESS : MEMORY_ALLOCATION;
}
ACL aclrtFree(void *address) {
  ENTER
  if (int status = device().worker.finish()) return status;
  return device().memory.free(address) ? SUCCESS : PARAM_INVALID;
}
ACL aclrtMemcpyAsync(void *to, std::size_t room, const void *from, std::size_t bytes, int kind, Stream *stream) {
  ENTER
  if (!device().isStream(stream)) return STREAM_CONTEXT;
  if (bytes > room) return say(Rule::bounds, "a copy of %zu bytes to where the call says there are %zu", bytes, room), PARAM_INVALID;
  const bool toDevice = kind == HOST_TO_DEVICE || kind == DEVICE_TO_DEVICE, fromDevice = kind == DEVICE_TO_HOST || kind == DEVICE_TO_DEVICE;
  if (!device().endsFit(to, from, bytes, toDevice, fromDevice)) return PARAM_INVALID;
  return device().worker.enqueue(stream, [to, from, bytes] { return statusOf(device().memory.copy("a copy", to, from, bytes)); });
}

ACL aclrtBinaryLoadFromData(const void *data, std::size_t, const void *, Module **out) {
  ENTER
  *out = device().load(data, "dav-" + std::to_string(fact("architecture")));
  return *out ? SUCCESS : PARAM_INVALID;
}
ACL aclrtBinaryUnLoad(Module *binary) {
  ENTER
  if (int status = device().worker.finish()) return status;
  return device().unload(binary) ? SUCCESS : INVALID_HANDLE;
}
ACL aclrtBinaryGetFunction(Module *binary, const char *name, Function **out) {
  ENTER
  *out = device().find(binary, name);
  return *out ? SUCCESS : PARAM_INVALID;
}

/** Blocks are logical: those that are more than the chip has cores come in turns. */
static int launch(Function *function, std::uint32_t blocks, Stream *stream, void *const *params) {
  if (!device().isAlive(function)) return say(Rule::freed, "kernel %p belongs to no loaded binary", static_cast<void *>(function)), INVALID_HANDLE;
  if (!device().isStream(stream)) return STREAM_CONTEXT;
  if (blocks == 0 || blocks > 65535) return say(Rule::limit, "kernel %s: %u blocks, from 1 to 65535 are allowed", function->kernel->name, blocks), PARAM_INVALID;
  return device().launch(function, blocks, 1, stream, params, statusOf);
}

ACL aclrtLaunchKernelWithArgsArray(Function *function, std::uint32_t blocks, Stream *stream, void *, void **args) {
  ENTER
  return launch(function, blocks, stream, args);
}
/** Arguments one after the other, 8 bytes each. */
ACL aclrtLaunchKernel(Function *function, std::uint32_t blocks, const void *args, std::size_t bytes, Stream *stream) {
  ENTER
  if (device().isAlive(function) && bytes != 8u * static_cast<unsigned>(function->kernel->params))
    return say(Rule::limit, "kernel %s takes %d arguments of 8 bytes, and is given %zu bytes", function->kernel->name, function->kernel->params, bytes), PARAM_INVALID;
  std::vector<void *> params;
  for (std::size_t at = 0; at < bytes; at += 8) params.push_back(const_cast<char *>(static_cast<const char *>(args)) + at);
  return launch(function, blocks, stream, params.data());
}

ACL aclrtCreateStream(Stream **out) {
  ENTER
  return *out = device().add(new Stream), SUCCESS;
}
ACL aclrtDestroyStream(Stream *stream) {
  if (!device().isStream(stream)) return STREAM_CONTEXT;
  device().worker.wait(stream);
  return device().drop(stream, "stream") ? SUCCESS : STREAM_CONTEXT;
}
ACL aclrtSynchronizeStream(Stream *stream) {
  ENTER
  if (!device().isStream(stream)) return STREAM_CONTEXT;
  return device().worker.wait(stream);
}

ACL aclrtCreateEvent(Event **out) {
  ENTER
  return *out = device().add(new Event), SUCCESS;
}
ACL aclrtDestroyEvent(Event *event) {
  if (device().isAlive(event)) device().worker.wait(event);
  return device().drop(event, "event") ? SUCCESS : INVALID_HANDLE;
}
ACL aclrtRecordEvent(Event *event, Stream *stream) {
  ENTER
  if (!device().isAlive(event) || !device().isAlive(stream)) return INVALID_HANDLE;
  return device().worker.record(event, stream);
}
ACL aclrtEventElapsedTime(float *millis, Event *from, Event *to) {
  ENTER
  if (!device().isAlive(from) || !device().isAlive(to) || !from->isRecorded || !to->isRecorded) return INVALID_HANDLE;
  *millis = std::chrono::duration<float, std::milli>(to->at - from->at).count();
  return SUCCESS;
}
