// The XPU runtime (libxpurt) over host memory, as far as anychip calls it: names, numbers and signatures from xpu/runtime.h and xpu/defs.h,
// the record of a kernel from open code that fills it. Statuses are negative.
#include <cstring>
#include <map>

#include "../core/objects.h"

using namespace anychip;

#define XPU extern "C" __attribute__((visibility("default"))) int

namespace {

enum Status { SUCCESS = 0, INVALID_DEVICE = -701, NOMEM = -705, INVALID_PARAM = -707, NOXPUFUNC = -708, KEXCEPTION = -714, USEAFCLOSE = -717 };
enum { DEVICE_TO_HOST, HOST_TO_DEVICE, DEVICE_TO_DEVICE };
enum { ATTR_MODEL = 4, ATTR_MEM_MAIN_CAPACITY = 5, ATTR_NUM_CLUSTER = 7 };
constexpr int MOST_CLUSTERS = 255, MAIN_MEMORY = 0;
/** The first model of each architecture. */
constexpr int FIRST_MODELS[] = {0, 0, 2, 300};

int statusOf(Rule rule) { return rule == Rule::none ? SUCCESS : KEXCEPTION; }

/** What a kernel is to the runtime. */
struct Kernel {
  std::uint32_t type : 16, place : 16;
  std::uint64_t code;
  std::uint32_t codeBytes, entry, paramWords;
  std::uint64_t hash;
  const char *name;
  void *own;
  std::uint64_t printOffset;
};

/** Code that was launched before. */
struct Loaded {
  std::string code;
  Module *module;
  Function *function;
};

/** All of the device; never destroyed, because its thread may outlive `main`. */
struct Device : Objects {
  /** By its hash. */
  std::map<std::uint64_t, Loaded> loaded;
  std::set<Stream *> streams;
  /** Those with work that nobody has waited for. */
  std::set<Stream *> busy;

  /** What is left when nobody uses the device any more: a fault is over then. */
  void letGo() {
    worker.reset();
    memory.reset();
    for (auto &entry : loaded) unload(entry.second.module);
    loaded.clear();
  }
};
Device &device() {
  static Device *only = new Device;
  return *only;
}

/** The next launch of this thread. */
struct Pending {
  std::vector<char> args;
  int clusters = 0, cores = 0;
  Stream *stream = nullptr;
};
thread_local Pending pending;

#define ENTER                                       \
  if (int entered = device().worker.status(); entered) { \
    return entered;                                 \
  }

std::string architecture() { return "xpu" + std::to_string(fact("architecture")); }

/** The kernel of a record; null, with a message, where it is none. */
Function *functionOf(const Kernel &kernel) {
  if (!kernel.code || !kernel.codeBytes || !kernel.name || kernel.type || kernel.place) return say(Rule::limit, "a launch of what is no record of a kernel in host memory"), nullptr;
  const std::string code(reinterpret_cast<const char *>(kernel.code), kernel.codeBytes);
  if (auto found = device().loaded.find(kernel.hash); found != device().loaded.end()) {
    if (found->second.code == code) return found->second.function;
    return say(Rule::freed, "kernel %s has the hash of other code that was launched before", kernel.name), nullptr;
  }
  Module *module = device().load(code.data(), architecture());
  Function *function = module ? device().find(module, kernel.name) : nullptr;
  if (!function) return module && device().unload(module), nullptr;
  return device().loaded.emplace(kernel.hash, Loaded{code, module, function}), function;
}

}  // namespace

XPU xpu_device_count(int *count) { return *count = 1, SUCCESS; }
XPU xpu_set_device(int ordinal) { return ordinal == 0 ? SUCCESS : INVALID_DEVICE; }
XPU xpu_device_get_attr(std::uint64_t *value, int attribute, int ordinal) {
  if (ordinal != 0) return INVALID_DEVICE;
  switch (attribute) {
    case ATTR_MODEL: return *value = static_cast<std::uint64_t>(FIRST_MODELS[fact("architecture")]), SUCCESS;
    case ATTR_MEM_MAIN_CAPACITY: return *value = device().memory.totalBytes(), SUCCESS;
    case ATTR_NUM_CLUSTER: return *value = static_cast<std::uint64_t>(fact("clusters")), SUCCESS;
    default: return INVALID_PARAM;
  }
}

XPU xpu_malloc(void **out, std::uint64_t bytes, int kind) {
  ENTER
  if (bytes == 0 || kind != MAIN_MEMORY) return say(Rule::limit, "an allocation of %llu bytes in memory %d", static_cast<unsigned long long>(bytes), kind), INVALID_PARAM;
  *out = device().memory.allocate(bytes);
  return *out ? SUCCESS : NOMEM;
}
XPU xpu_free(void *address) {
  ENTER
  if (int status = device().worker.finish()) return status;
  return device().memory.free(address) ? SUCCESS : INVALID_PARAM;
}
/** At once, whatever streams have to do. */
XPU xpu_memcpy(void *to, const void *from, std::uint64_t bytes, int kind) {
  ENTER
  if (kind < DEVICE_TO_HOST || kind > DEVICE_TO_DEVICE) return INVALID_PARAM;
  if (!device().busy.empty()) return say(Rule::order, "a copy while stream %p has work that nobody waited for", static_cast<void *>(*device().busy.begin())), KEXCEPTION;
  if (!device().endsFit(to, from, bytes, kind != DEVICE_TO_HOST, kind != HOST_TO_DEVICE)) return INVALID_PARAM;
  return statusOf(device().memory.copy("a copy", to, from, bytes));
}

XPU xpu_stream_create(Stream **out) {
  ENTER
  return device().streams.insert(*out = device().add(new Stream)), SUCCESS;
}
XPU xpu_stream_destroy(Stream *stream) {
  if (!device().isStream(stream)) return USEAFCLOSE;
  device().worker.wait(stream);
  device().streams.erase(stream);
  device().busy.erase(stream);
  device().drop(stream, "stream");
  if (device().streams.empty() && device().worker.status()) device().letGo();
  return SUCCESS;
}
XPU xpu_wait(Stream *stream) {
  ENTER
  if (!device().isStream(stream)) return USEAFCLOSE;
  device().busy.erase(stream);
  return device().worker.wait(stream);
}

XPU xpu_launch_argument_set(const void *value, std::size_t bytes, std::size_t offset) {
  ENTER
  if (offset % (bytes == 8 ? 8 : 4)) return say(Rule::misaligned, "an argument of %zu bytes at %zu", bytes, offset), INVALID_PARAM;
  if (pending.clusters) return say(Rule::order, "an argument after the shape of the launch"), INVALID_PARAM;
  if (pending.args.size() < offset + bytes) pending.args.resize(offset + bytes);
  std::memcpy(pending.args.data() + offset, value, bytes);
  return SUCCESS;
}
XPU xpu_launch_config(int clusters, int cores, Stream *stream) {
  ENTER
  if (!device().isStream(stream)) return USEAFCLOSE;
  if (clusters < 1 || clusters > MOST_CLUSTERS || cores < 1 || cores > fact("clusterCores"))
    return say(Rule::limit, "%d clusters of %d cores: from 1 to %d are allowed, of 1 to %lld", clusters, cores, MOST_CLUSTERS, fact("clusterCores")), INVALID_PARAM;
  pending.clusters = clusters, pending.cores = cores, pending.stream = stream;
  return SUCCESS;
}
XPU xpu_launch_async(const Kernel *kernel) {
  ENTER
  const Pending launch = pending;
  pending = Pending();
  if (!kernel) return NOXPUFUNC;
  if (!launch.clusters) return say(Rule::order, "a launch without its shape"), INVALID_PARAM;
  Function *function = functionOf(*kernel);
  if (!function) return NOXPUFUNC;
  const KernelEntry *entry = function->kernel;
  std::vector<void *> params;
  std::size_t at = 0;
  for (int i = 0; i < entry->params; i++) {
    const std::size_t bytes = entry->paramBytes[i];
    at = (at + bytes - 1) / bytes * bytes;
    params.push_back(const_cast<char *>(launch.args.data()) + at);
    at += bytes;
  }
  if (at != launch.args.size()) return say(Rule::limit, "kernel %s takes %zu bytes of arguments, not %zu", entry->name, at, launch.args.size()), INVALID_PARAM;
  device().busy.insert(launch.stream);
  return device().launch(function, static_cast<unsigned>(launch.clusters), static_cast<unsigned>(launch.cores), launch.stream, params.data(), statusOf);
}

/** Instead of the text that the runtime's header has for a status: which rule was broken. */
extern "C" __attribute__((visibility("default"))) const char *anychip_message(int status) { return status == SUCCESS ? "" : lastMessage(); }
