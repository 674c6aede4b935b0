// The runtime of Ascend processors (ACL) over host memory, as far as anychip calls it. Names, signatures and numbers from its public
// headers (acl_rt.h, acl_base_rt.h, CANN 8).
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "../core/memory.h"
#include "../core/program.h"
#include "../core/report.h"
#include "../core/work.h"

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

struct Function;
struct Binary {
  std::unique_ptr<Program> program;
  std::vector<std::unique_ptr<Function>> functions;
};
struct Function {
  Binary *binary;
  const KernelEntry *kernel;
};

/** All of the device; never destroyed, because its thread may outlive `main`. */
struct Device {
  Memory memory{static_cast<std::uint64_t>(fact("memoryBytes"))};
  Worker worker;
  bool isInitialized = false;
  int users = 0;
  std::set<void *> alive;
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

bool isAlive(void *object) { return device().alive.count(object) != 0; }
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
int badStream(void *stream) { return say(Rule::freed, "stream %p was destroyed or never made", stream), STREAM_CONTEXT; }

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
extern "C" __attribute__((visibility("default"))) const char *aclrtGetSocName() { return chip.title; }

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
  if (!isAlive(stream)) return badStream(stream);
  if (bytes > room) return say(Rule::bounds, "a copy of %zu bytes to where the call says there are %zu", bytes, room), PARAM_INVALID;
  Memory &memory = device().memory;
  const bool toDevice = kind == HOST_TO_DEVICE || kind == DEVICE_TO_DEVICE, fromDevice = kind == DEVICE_TO_HOST || kind == DEVICE_TO_DEVICE;
  if (memory.isDevice(to) != toDevice || memory.isDevice(from) != fromDevice) return say(Rule::host, "a copy from %p to %p: one side is not where the call says", from, to), PARAM_INVALID;
  if (toDevice && memory.checkWrite("a copy", to, bytes) != Rule::none) return PARAM_INVALID;
  return device().worker.enqueue(stream, [to, from, bytes] { return statusOf(device().memory.copy("a copy", to, from, bytes)); });
}

ACL aclrtBinaryLoadFromData(const void *data, std::size_t, const void *, Binary **out) {
  ENTER
  std::unique_ptr<Binary> binary(new Binary);
  binary->program = Program::load(data, "dav-" + std::to_string(fact("architecture")), device().memory);
  if (!binary->program) return PARAM_INVALID;
  return give(out, binary.release());
}
ACL aclrtBinaryUnLoad(Binary *binary) {
  ENTER
  if (int status = device().worker.finish()) return status;
  if (isAlive(binary))
    for (auto &function : binary->functions) device().alive.erase(function.get());
  return drop(binary, "binary");
}
ACL aclrtBinaryGetFunction(Binary *binary, const char *name, Function **out) {
  ENTER
  if (!isAlive(binary)) return say(Rule::freed, "binary %p was unloaded or never loaded", static_cast<void *>(binary)), INVALID_HANDLE;
  const KernelEntry *kernel = binary->program->find(name);
  if (!kernel) return PARAM_INVALID;
  binary->functions.emplace_back(new Function{binary, kernel});
  return give(out, binary->functions.back().get());
}

/** Blocks are logical: those that are more than the chip has cores come in turns. */
static int launch(Function *function, std::uint32_t blocks, Stream *stream, void *const *params) {
  if (!isAlive(function)) return say(Rule::freed, "kernel %p belongs to no loaded binary", static_cast<void *>(function)), INVALID_HANDLE;
  if (!isAlive(stream)) return badStream(stream);
  const KernelEntry *kernel = function->kernel;
  if (blocks == 0 || blocks > 65535) return say(Rule::limit, "kernel %s: %u blocks, from 1 to 65535 are allowed", kernel->name, blocks), PARAM_INVALID;
  if (isFaulty("launch")) return say(Rule::fault, "this launch of %s fails, as ANYCHIP_FAULT asks", kernel->name), VECTOR_CORE_EXCEPTION;
  const bool hangs = isFaulty("hang");
  auto args = std::make_shared<Arguments>(kernel, params);
  return device().worker.enqueue(stream, [=] {
    if (hangs) {
      say(Rule::fault, "kernel %s hangs, as ANYCHIP_FAULT asks", kernel->name);
      device().worker.hang();
    }
    const Launch what{kernel, args->pointers(), {blocks, 1, 1}, {1, 1, 1}, 0};
    return statusOf(function->binary->program->run(what));
  });
}

ACL aclrtLaunchKernelWithArgsArray(Function *function, std::uint32_t blocks, Stream *stream, void *, void **args) {
  ENTER
  return launch(function, blocks, stream, args);
}
/** Arguments one after the other, 8 bytes each. */
ACL aclrtLaunchKernel(Function *function, std::uint32_t blocks, const void *args, std::size_t bytes, Stream *stream) {
  ENTER
  if (isAlive(function) && bytes != 8u * static_cast<unsigned>(function->kernel->params))
    return say(Rule::limit, "kernel %s takes %d arguments of 8 bytes, and is given %zu bytes", function->kernel->name, function->kernel->params, bytes), PARAM_INVALID;
  std::vector<void *> params;
  for (std::size_t at = 0; at < bytes; at += 8) params.push_back(const_cast<char *>(static_cast<const char *>(args)) + at);
  return launch(function, blocks, stream, params.data());
}

ACL aclrtCreateStream(Stream **out) {
  ENTER
  return give(out, new Stream);
}
ACL aclrtDestroyStream(Stream *stream) {
  if (!isAlive(stream)) return badStream(stream);
  device().worker.wait(stream);
  return drop(stream, "stream");
}
ACL aclrtSynchronizeStream(Stream *stream) {
  ENTER
  if (!isAlive(stream)) return badStream(stream);
  return device().worker.wait(stream);
}

ACL aclrtCreateEvent(Event **out) {
  ENTER
  return give(out, new Event);
}
ACL aclrtDestroyEvent(Event *event) {
  if (isAlive(event)) device().worker.wait(event);
  return drop(event, "event");
}
ACL aclrtRecordEvent(Event *event, Stream *stream) {
  ENTER
  if (!isAlive(event) || !isAlive(stream)) return INVALID_HANDLE;
  return device().worker.record(event, stream);
}
ACL aclrtEventElapsedTime(float *millis, Event *from, Event *to) {
  ENTER
  if (!isAlive(from) || !isAlive(to) || !from->isRecorded || !to->isRecorded) return INVALID_HANDLE;
  *millis = std::chrono::duration<float, std::milli>(to->at - from->at).count();
  return SUCCESS;
}
