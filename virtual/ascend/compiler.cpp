// The compiler of Ascend C at run time (aclrtc), by the system's C++ compiler. Names from asc-devkit's acl_rt_compile.h.
#include <cstring>
#include <string>

#include "../core/program.h"

using namespace anychip;

#define RTC extern "C" __attribute__((visibility("default"))) int

namespace {
enum { COMPILED = 0, INVALID_PARAM = 176000, INVALID_OPTION = 176004, COMPILATION_FAILED = 276001 };
struct Unit {
  std::string source, log, binary;
};
}  // namespace

RTC aclrtcCreateProg(Unit **out, const char *source, const char *, int headers, const char **, const char **) {
  if (!source || headers != 0) return INVALID_PARAM;
  return *out = new Unit{source, "", ""}, COMPILED;
}
RTC aclrtcDestroyProg(Unit **unit) {
  if (!unit || !*unit) return INVALID_PARAM;
  delete *unit;
  return *unit = nullptr, COMPILED;
}
RTC aclrtcCompileProg(Unit *unit, int count, const char **options) {
  static const char ARCHITECTURE[] = "--npu-arch=";
  CompileRequest request{unit->source + declareKernels(findKernels(unit->source, "__global__", "")), "", {"-ffp-contract=off"}};
  for (int i = 0; i < count; i++) {
    if (std::strncmp(options[i], ARCHITECTURE, sizeof ARCHITECTURE - 1)) return unit->log = std::string(options[i]) + ": an option that the virtual compiler does not know", INVALID_OPTION;
    request.architecture = options[i] + sizeof ARCHITECTURE - 1;
  }
  unit->binary = compileProgram(request, unit->log);
  return unit->binary.empty() ? COMPILATION_FAILED : COMPILED;
}
RTC aclrtcGetCompileLogSize(Unit *unit, std::size_t *bytes) { return *bytes = unit->log.size() + 1, COMPILED; }
RTC aclrtcGetCompileLog(Unit *unit, char *log) { return std::memcpy(log, unit->log.c_str(), unit->log.size() + 1), COMPILED; }
RTC aclrtcGetBinDataSize(Unit *unit, std::size_t *bytes) { return *bytes = unit->binary.size(), COMPILED; }
RTC aclrtcGetBinData(Unit *unit, char *binary) { return std::memcpy(binary, unit->binary.data(), unit->binary.size()), COMPILED; }
