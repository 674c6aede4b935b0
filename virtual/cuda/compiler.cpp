// The interface of NVRTC: kernel source in, a program for the virtual chip out, made by the system's C++ compiler.
#include <cstring>
#include <string>
#include <vector>

#include "../core/program.h"
#include "../core/report.h"

using namespace anychip;

#define COMPILER extern "C" __attribute__((visibility("default"))) int

namespace {

enum CompilerStatus { COMPILED = 0, COMPILER_INVALID_INPUT = 3, COMPILER_INVALID_PROGRAM = 4, COMPILER_INVALID_OPTION = 5, COMPILATION_FAILED = 6 };

struct Unit {
  std::string source, log, binary;
};

/** An option's value, where `option` is `--name=value`. */
const char *valueOf(const std::string &option, const std::string &name) { return option.compare(0, name.size() + 1, name + "=") ? nullptr : option.c_str() + name.size() + 1; }

}  // namespace

COMPILER COMPILER_NAME(Version)(int *major, int *minor) {
  *major = static_cast<int>(fact("driverVersion") / 1000);
  *minor = static_cast<int>(fact("driverVersion") % 1000 / 10);
  return COMPILED;
}
COMPILER COMPILER_NAME(CreateProgram)(Unit **out, const char *source, const char *, int headers, const char *const *, const char *const *) {
  if (!source || headers != 0) return COMPILER_INVALID_INPUT;
  *out = new Unit{source, "", ""};
  return COMPILED;
}
COMPILER COMPILER_NAME(DestroyProgram)(Unit **unit) {
  if (!unit || !*unit) return COMPILER_INVALID_PROGRAM;
  delete *unit;
  *unit = nullptr;
  return COMPILED;
}
COMPILER COMPILER_NAME(CompileProgram)(Unit *unit, int count, const char *const *options) {
  const auto heads = findKernels(unit->source, "__global__", "__launch_bounds__");
  CompileRequest request{unit->source + declareKernels(heads), "", {}};
  // Products and sums are fused unless it is asked not to.
  std::string contract = "-ffp-contract=fast";
  for (int i = 0; i < count; i++) {
    const std::string option = options[i];
    if (option == LANGUAGE_OPTION) continue;
    if (const char *architecture = valueOf(option, ARCHITECTURE_OPTION)) request.architecture = architecture;
    else if (const char *fuses = valueOf(option, CONTRACT_OPTION)) contract = std::strcmp(fuses, "false") && std::strcmp(fuses, "off") ? "-ffp-contract=fast" : "-ffp-contract=off";
    else return unit->log = option + ": an option that the virtual compiler does not know", COMPILER_INVALID_OPTION;
  }
  request.flags.push_back(contract);
#ifdef SPECIFIC_SUFFIX
  // Code with what one architecture alone has.
  if (!request.architecture.empty() && request.architecture.back() == SPECIFIC_SUFFIX) {
    request.architecture.pop_back();
    request.flags.push_back("-DANYCHIP_SPECIFIC");
  }
#endif
  unit->binary = compileProgram(request, unit->log);
  return unit->binary.empty() ? COMPILATION_FAILED : COMPILED;
}
COMPILER COMPILER_NAME(GetProgramLogSize)(Unit *unit, std::size_t *bytes) { return *bytes = unit->log.size() + 1, COMPILED; }
COMPILER COMPILER_NAME(GetProgramLog)(Unit *unit, char *log) { return std::memcpy(log, unit->log.c_str(), unit->log.size() + 1), COMPILED; }
COMPILER BINARY_SIZE_NAME(Unit *unit, std::size_t *bytes) { return *bytes = unit->binary.size(), COMPILED; }
COMPILER BINARY_NAME(Unit *unit, char *binary) { return std::memcpy(binary, unit->binary.data(), unit->binary.size()), COMPILED; }
