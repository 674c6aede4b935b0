// brcc, as far as anychip calls it: kernels of a file of SUPA C++ to code that is to be linked, and such code to a fat binary. Options and what
// they mean: BRCC user guide.
#include "../../core/program.h"
#include "../../core/tool.h"

namespace {

/** Stands before code that was not linked: no driver loads it. */
const std::string UNLINKED = "anychip virtual SUPA object 1\n";

struct Options {
  bool compiles = false, links = false, isForDevice = false;
  std::string language, architecture, output, input, contract = "-ffp-contract=fast";
};

int fail(const std::string &why) { return anychip::fail("virtual brcc", why); }
int write(const std::string &path, const std::string &bytes) { return anychip::writeFile(path, bytes) ? 0 : fail(path + " cannot be written"); }

/** False where an option is not known, which `unknown` names then. */
bool parse(int argc, char **argv, Options &to, std::string &unknown) {
  std::string standard;
  for (int i = 1; i < argc; i++) {
    const std::string arg = argv[i];
    if (arg == "-c") to.compiles = true;
    else if (arg == "--supa-link") to.links = true;
    else if (arg == "--supa-device-only") to.isForDevice = true;
    else if (arg == "-x" && i + 1 < argc) to.language = argv[++i];
    else if (arg == "-o" && i + 1 < argc) to.output = argv[++i];
    else if (arg == "-ffp-contract=off" || arg == "-ffp-contract=fast") to.contract = arg;
    else if (anychip::takesValue(arg, "--supa-gpu-arch", to.architecture) || (anychip::takesValue(arg, "-std", standard) && (standard == "c++14" || standard == "c++17" || standard == "c++20")) || arg == "-w") continue;
    else if (arg[0] == '-' || !to.input.empty()) return unknown = arg, false;
    else to.input = arg;
  }
  return true;
}

int compile(const Options &options, const std::string &source) {
  if (options.language != "supa" && !(options.input.size() > 3 && options.input.substr(options.input.size() - 3) == ".su")) return fail(options.input + " is no file of SUPA C++");
  if (!anychip::findKernels(source, "__global_mega__", "").empty()) return fail("kernels of tensor mode (__global_mega__) have no meaning on this virtual chip");
  anychip::CompileRequest request{source + anychip::declareKernels(anychip::findKernels(source, "__global__", "__launch_bounds__")), options.architecture, {options.contract}};
  std::string log;
  const std::string program = anychip::compileProgram(request, log);
  return program.empty() ? fail(log) : write(options.output, UNLINKED + program);
}

int link(const Options &options, const std::string &object) {
  if (object.compare(0, UNLINKED.size(), UNLINKED)) return fail(options.input + " holds no code for the device that is to be linked");
  return write(options.output, object.substr(UNLINKED.size()));
}

}  // namespace

int main(int argc, char **argv) {
  Options options;
  std::string text;
  if (!parse(argc, argv, options, text)) return fail(text + ": an option that the virtual compiler does not know");
  if (options.compiles == options.links || !options.isForDevice) return fail("it compiles, or links, for the device alone");
  if (options.architecture.empty() || options.output.empty() || options.input.empty()) return fail("an architecture, an output and an input are needed");
  if (!anychip::readFile(options.input, text)) return fail(options.input + " cannot be read");
  return options.compiles ? compile(options, text) : link(options, text);
}
