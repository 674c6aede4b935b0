// The functions of ACL that anychip calls, over memory of this process, for kernels in PTO compiled with its simulator of cores: a program is
// a shared library. Cores run one after the other, each launch in a process of its own over shared memory, so that an assertion of the
// simulator ends that process alone. Nothing of anychip or of PTO is known here but names.
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#define ACL extern "C" __attribute__((visibility("default"))) int

enum { SUCCESS = 0, PARAM_INVALID = 107000, INVALID_HANDLE = 107017, MEMORY_ALLOCATION = 207001, VECTOR_CORE_EXCEPTION = 507035 };
/** The unified buffer of a core. */
static const char SCRATCH_BYTES[] = "196608";
static const std::size_t MEMORY_BYTES = std::size_t{1} << 30, PARAMS = 24;

static char *memory;
static std::size_t used;
static std::uint32_t block;
static std::string said;

/** What the simulator asks for the core at hand. */
extern "C" __attribute__((visibility("default"))) void pto_cpu_sim_get_execution_context(std::uint32_t *core, std::uint32_t *part, std::uint32_t *parts) {
  *core = block, *part = 0, *parts = 1;
}
/** It looks among the libraries that are everyone's. */
__attribute__((constructor)) static void publish() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void *>(publish), &self)) dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
}

ACL aclInit(const char *) { return SUCCESS; }
ACL aclrtGetDeviceCount(std::uint32_t *count) { return *count = 1, SUCCESS; }
ACL aclrtSetDevice(int) { return SUCCESS; }
ACL aclrtResetDevice(int) { return SUCCESS; }
ACL aclrtGetMemInfo(int, std::size_t *free, std::size_t *total) { return *free = MEMORY_BYTES - used, *total = MEMORY_BYTES, SUCCESS; }
extern "C" __attribute__((visibility("default"))) const char *aclGetRecentErrMsg() { return said.c_str(); }
extern "C" __attribute__((visibility("default"))) const char *aclrtGetSocName() { return "Ascend910B4"; }

/** Nothing is given out twice. */
ACL aclrtMalloc(void **out, std::size_t bytes, int) {
  if (!memory) memory = static_cast<char *>(mmap(nullptr, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (memory == MAP_FAILED || used + bytes > MEMORY_BYTES) return MEMORY_ALLOCATION;
  *out = memory + used;
  used += (bytes + 511) / 512 * 512;
  return SUCCESS;
}
ACL aclrtFree(void *) { return SUCCESS; }
ACL aclrtMemcpyAsync(void *to, std::size_t room, const void *from, std::size_t bytes, int, void *) {
  if (bytes > room) return PARAM_INVALID;
  return std::memmove(to, from, bytes), SUCCESS;
}

ACL aclrtBinaryLoadFromData(const void *data, std::size_t bytes, const void *, void **out) {
  char path[] = "/tmp/anychip-pto-XXXXXX";
  const int file = mkstemp(path);
  const bool isWritten = file >= 0 && write(file, data, bytes) == static_cast<ssize_t>(bytes);
  close(file);
  *out = isWritten ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (!*out) said = dlerror();
  unlink(path);
  return *out ? SUCCESS : PARAM_INVALID;
}
ACL aclrtBinaryUnLoad(void *program) { return dlclose(program) == 0 ? SUCCESS : INVALID_HANDLE; }
ACL aclrtBinaryGetFunction(void *program, const char *name, void **out) { return *out = dlsym(program, name), *out ? SUCCESS : PARAM_INVALID; }

ACL aclrtLaunchKernel(void *function, std::uint32_t blocks, const void *args, std::size_t bytes, void *) {
  void *a[PARAMS] = {};
  if (bytes > sizeof a) return PARAM_INVALID;
  std::memcpy(a, args, bytes);
  const pid_t child = fork();
  if (child < 0) return VECTOR_CORE_EXCEPTION;
  if (child == 0) {
    setenv("PTO_CPU_SIM_UB_BYTES", SCRATCH_BYTES, 1);
    const auto kernel = reinterpret_cast<void (*)(...)>(function);
    for (block = 0; block < blocks; block++)
      kernel(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15], a[16], a[17], a[18], a[19], a[20], a[21], a[22], a[23]);
    _exit(0);
  }
  int status;
  while (waitpid(child, &status, 0) < 0) continue;
  said = status == 0 ? "" : "the simulator of PTO ended the kernel: what it asserts stands in the test's output";
  return status == 0 ? SUCCESS : VECTOR_CORE_EXCEPTION;
}

ACL aclrtCreateStream(void **out) { return *out = &memory, SUCCESS; }
ACL aclrtDestroyStream(void *) { return SUCCESS; }
ACL aclrtSynchronizeStream(void *) { return SUCCESS; }
ACL aclrtCreateEvent(void **out) { return *out = &memory, SUCCESS; }
ACL aclrtRecordEvent(void *, void *) { return SUCCESS; }
ACL aclrtEventElapsedTime(float *out, void *, void *) { return *out = 0, SUCCESS; }
ACL aclrtDestroyEvent(void *) { return SUCCESS; }
