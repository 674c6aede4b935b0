// XTDK's programs in one, as far as anychip calls them: clang++ compiles the one kernel of a file of XPU C++ to an object, elfconv makes of
// that what the runtime is handed. Options: XPU C/C++ guide, chapter 3; of elfconv, from open code that calls it.
#include <cstring>

#include "../../core/program.h"
#include "../../core/tool.h"

namespace {

/** Stands before an object: no runtime takes it. */
const std::string OBJECT = "anychip virtual XPU object 1\n";
const char *const KNOWN[] = {"--xpu-device-only", "-c", "-std=c++11", "-O2", "-fno-builtin", "-w"};

int fail(const std::string &why) { return anychip::fail("virtual XTDK", why); }
int write(const std::string &path, const std::string &bytes) { return anychip::writeFile(path, bytes) ? 0 : fail(path + " cannot be written"); }

int compile(int argc, char **argv) {
  anychip::CompileRequest request{"", "", {"-ffp-contract=fast"}};
  std::string output, input;
  unsigned known = 0;
  for (int i = 1; i < argc; i++) {
    const std::string arg = argv[i];
    if (arg == "-o" && i + 1 < argc) output = argv[++i];
    else if (arg == "-ffp-contract=off") request.flags[0] = arg;
    else if (anychip::takesValue(arg, "--xpu-arch", request.architecture) || !arg.compare(0, 2, "-I")) continue;
    else if (arg[0] != '-' && input.empty()) input = arg;
    else {
      const unsigned before = known;
      for (unsigned k = 0; k < sizeof KNOWN / sizeof *KNOWN; k++)
        if (arg == KNOWN[k]) known |= 1u << k;
      if (known == before) return fail(arg + ": an option that the virtual compiler does not know");
    }
  }
  if ((known & 3) != 3) return fail("it compiles for the device alone, to an object");
  if (request.architecture.empty() || output.empty() || input.size() < 4 || input.substr(input.size() - 4) != ".xpu") return fail("an architecture, an output and a file of XPU C++ are needed");
  if (!anychip::readFile(input, request.text)) return fail(input + " cannot be read");
  const auto heads = anychip::findKernels(request.text, "__global__", "");
  if (heads.size() != 1) return fail(std::to_string(heads.size()) + " kernels in a unit, which has to have one");
  request.text += anychip::declareKernels(heads);
  std::string log;
  const std::string program = anychip::compileProgram(request, log);
  return program.empty() ? fail(log) : write(output, OBJECT + program);
}

int convert(const std::string &from, const std::string &to) {
  std::string object;
  if (!anychip::readFile(from, object)) return fail(from + " cannot be read");
  if (object.compare(0, OBJECT.size(), OBJECT)) return fail(from + " holds no code for the device");
  return write(to, object.substr(OBJECT.size()));
}

}  // namespace

int main(int argc, char **argv) { return argc == 4 && argv[1][0] != '-' ? convert(argv[1], argv[2]) : compile(argc, argv); }
