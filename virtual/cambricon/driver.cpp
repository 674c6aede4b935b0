// Cambricon's driver interface (CNDrv) and its compiler at run time (CNRTC) over host memory, as far as anychip calls them. Names and
// signatures from open code that calls them (InfiniTensor's cndrv) and from cnrtc.h.
#include "../core/objects.h"

using namespace anychip;

#define CN extern "C" __attribute__((visibility("default"))) int

namespace {

enum Status { SUCCESS = 0, NOT_INITIALIZED = 100001, INVALID_DEVICE = 100005, INVALID_ARGUMENT = 100006, INVALID_HANDLE = 100008, OUT_OF_MEMORY = 100100, MLU_FAULT = 101000 };
enum { KERNEL_CLASS_BLOCK = 1 };

int statusOf(Rule rule) { return rule == Rule::none ? SUCCESS : MLU_FAULT; }

/** All of the device; never destroyed, because its thread may outlive `main`. */
struct Device : Objects {
  bool isInitialized = false;
  int retained = 0;
};
Device &device() {
  static Device *only = new Device;
  return *only;
}
int contextObject;
thread_local void *current;

int enter() {
  if (!device().isInitialized) return say(Rule::order, "a call before cnInit"), NOT_INITIALIZED;
  if (current != &contextObject || device().retained == 0) return say(Rule::order, "a call from a thread that has no context of the device"), NOT_INITIALIZED;
  return device().worker.status();
}
#define ENTER                            \
  if (int entered = enter(); entered) { \
    return entered;                      \
  }

std::string architecture() { return "mtp_" + std::to_string(fact("architecture")); }

int copy(void *to, const void *from, std::size_t bytes, bool toDevice, bool fromDevice, Stream *queue) {
  ENTER
  if (!device().isStream(queue)) return INVALID_HANDLE;
  if (!device().endsFit(to, from, bytes, toDevice, fromDevice)) return INVALID_ARGUMENT;
  return device().worker.enqueue(queue, [=] { return statusOf(device().memory.copy("a copy", to, from, bytes)); });
}

}  // namespace

CN cnInit(unsigned) { return device().isInitialized = true, SUCCESS; }
CN cnDeviceGetCount(int *count) { return *count = 1, SUCCESS; }
CN cnDeviceGet(int *out, int ordinal) { return ordinal == 0 ? (*out = 0, SUCCESS) : INVALID_DEVICE; }
CN cnDeviceGetName(char *name, int bytes, int) { return std::snprintf(name, static_cast<std::size_t>(bytes), "%s", chip.title), SUCCESS; }
/** Cores come in clusters; kernels leave a part of their memory to the stack. */
CN cnDeviceGetAttribute(int *out, int attribute, int) {
  enum { CLUSTERS = 0x205, CLUSTER_CORES = 0x206, ISA_VERSION = 0x20a, NRAM_BYTES = 0x302 };
  static const int CORES_PER_CLUSTER = 4, STACK_BYTES = 128 << 10;
  switch (attribute) {
    case CLUSTERS: return *out = static_cast<int>(fact("cores")) / CORES_PER_CLUSTER, SUCCESS;
    case CLUSTER_CORES: return *out = CORES_PER_CLUSTER, SUCCESS;
    case ISA_VERSION: return *out = static_cast<int>(fact("architecture")), SUCCESS;
    case NRAM_BYTES: return *out = static_cast<int>(fact("scratchBytes")) + STACK_BYTES, SUCCESS;
  }
  return INVALID_ARGUMENT;
}
CN cnDeviceTotalMem(std::size_t *bytes, int) { return *bytes = device().memory.totalBytes(), SUCCESS; }
CN cnSharedContextAcquire(void **context, int) { return device().retained++, *context = &contextObject, SUCCESS; }
CN cnSharedContextRelease(int) {
  if (device().retained == 0) return INVALID_ARGUMENT;
  if (--device().retained > 0) return SUCCESS;
  device().worker.reset();
  device().memory.reset();
  return SUCCESS;
}
CN cnCtxSetCurrent(void *context) { return current = context, SUCCESS; }
CN cnMemGetInfo(std::size_t *free, std::size_t *total) {
  ENTER
  *free = device().memory.freeBytes();
  *total = device().memory.totalBytes();
  return SUCCESS;
}
CN cnMalloc(void **out, std::size_t bytes) {
  ENTER
  if (bytes == 0) return say(Rule::limit, "an allocation of no bytes"), INVALID_ARGUMENT;
  *out = device().memory.allocate(bytes);
  return *out ? SUCCESS : OUT_OF_MEMORY;
}
CN cnFree(void *address) {
  ENTER
  if (int status = device().worker.finish()) return status;
  return device().memory.free(address) ? SUCCESS : INVALID_ARGUMENT;
}
CN cnMemcpyHtoDAsync(void *to, const void *from, std::size_t bytes, Stream *queue) { return copy(to, from, bytes, true, false, queue); }
CN cnMemcpyDtoHAsync(void *to, const void *from, std::size_t bytes, Stream *queue) { return copy(to, from, bytes, false, true, queue); }
CN cnMemcpyDtoDAsync(void *to, const void *from, std::size_t bytes, Stream *queue) { return copy(to, from, bytes, true, true, queue); }

CN cnModuleLoadFatBinary(const void *image, Module **out) {
  ENTER
  *out = device().load(image, architecture());
  return *out ? SUCCESS : INVALID_ARGUMENT;
}
CN cnModuleUnload(Module *module) {
  ENTER
  if (int status = device().worker.finish()) return status;
  return device().unload(module) ? SUCCESS : INVALID_HANDLE;
}
CN cnModuleGetKernel(Module *module, const char *name, Function **out) {
  ENTER
  *out = device().find(module, name);
  return *out ? SUCCESS : INVALID_ARGUMENT;
}
CN cnInvokeKernel(Function *function, unsigned x, unsigned y, unsigned z, int kernelClass, unsigned, Stream *queue, void **params, void **extra) {
  ENTER
  if (!device().isAlive(function)) return say(Rule::freed, "kernel %p belongs to no loaded module", static_cast<void *>(function)), INVALID_HANDLE;
  if (!device().isStream(queue)) return INVALID_HANDLE;
  const unsigned long long tasks = 1ull * x * y * z;
  if (tasks == 0 || tasks > 65535 || extra) return say(Rule::limit, "kernel %s: %llu tasks, from 1 to 65535 are allowed", function->kernel->name, tasks), INVALID_ARGUMENT;
  if (kernelClass != KERNEL_CLASS_BLOCK) return say(Rule::limit, "kernel %s: kernels of class %d are not known here", function->kernel->name, kernelClass), INVALID_ARGUMENT;
  return device().launch(function, static_cast<unsigned>(tasks), 1, queue, params, statusOf);
}

CN cnCreateQueue(Stream **out, unsigned) {
  ENTER
  return *out = device().add(new Stream), SUCCESS;
}
CN cnDestroyQueue(Stream *queue) {
  if (!device().isStream(queue)) return INVALID_HANDLE;
  device().worker.wait(queue);
  return device().drop(queue, "queue") ? SUCCESS : INVALID_HANDLE;
}
CN cnQueueSync(Stream *queue) {
  ENTER
  if (!device().isStream(queue)) return INVALID_HANDLE;
  return device().worker.wait(queue);
}

CN cnGetErrorString(int status, const char **text) { return *text = status == SUCCESS ? "" : lastMessage(), SUCCESS; }

// ---- the compiler ----

namespace {
struct Unit {
  std::string source, log, binary;
};
constexpr int COMPILATION_FAILED = 6, INVALID_OPTION = 5;
}  // namespace

CN cnrtcCreateCodeV2(Unit **out, const char *source, int language, const char *, int headers, const char **, const char **) {
  if (!source || language != 0 || headers != 0) return INVALID_OPTION;
  return *out = new Unit{source, "", ""}, SUCCESS;
}
CN cnrtcDestroyCode(Unit **unit) {
  if (!unit || !*unit) return INVALID_OPTION;
  delete *unit;
  return *unit = nullptr, SUCCESS;
}
CN cnrtcCompileCode(Unit *unit, int count, const char **options) {
  static const char ARCHITECTURE[] = "--bang-mlu-arch=";
  CompileRequest request{unit->source + declareKernels(findKernels(unit->source, "__mlu_global__", "")), "", {"-ffp-contract=off"}};
  bool isFatBinary = false;
  for (int i = 0; i < count; i++) {
    if (!std::strncmp(options[i], ARCHITECTURE, sizeof ARCHITECTURE - 1)) request.architecture = options[i] + sizeof ARCHITECTURE - 1;
    else if (!std::strcmp(options[i], "--bang-fatbin-only")) isFatBinary = true;
    else return unit->log = std::string(options[i]) + ": an option that the virtual compiler does not know", INVALID_OPTION;
  }
  if (!isFatBinary) return unit->log = "--bang-fatbin-only is missing", INVALID_OPTION;
  unit->binary = compileProgram(request, unit->log);
  return unit->binary.empty() ? COMPILATION_FAILED : int(SUCCESS);
}
CN cnrtcGetCompilationLogSize(Unit *unit, unsigned *bytes) { return *bytes = static_cast<unsigned>(unit->log.size() + 1), SUCCESS; }
CN cnrtcGetCompilationLog(Unit *unit, char *log) { return std::memcpy(log, unit->log.c_str(), unit->log.size() + 1), SUCCESS; }
CN cnrtcGetFatBinarySize(Unit *unit, unsigned *bytes) { return *bytes = static_cast<unsigned>(unit->binary.size()), SUCCESS; }
CN cnrtcGetFatBinary(Unit *unit, void *binary) { return std::memcpy(binary, unit->binary.data(), unit->binary.size()), SUCCESS; }
