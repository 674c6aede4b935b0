// brcc, as far as anychip calls it: kernels of a file of SUPA C++ to code that is to be linked, and such code to a fat binary. Options and what
// they mean: BRCC user guide.
#include <cstdio>
#include <cstring>
#include <string>

#include "../../core/program.h"

namespace {

/** Stands before code that was not linked: no driver loads it. */
const std::string UNLINKED = "anychip virtual SUPA object 1\n";

struct Options {
  bool compiles = false, links = false, isForDevice = false;
  std::string language, architecture, output, input, contract = "-ffp-contract=fast";
};

int fail(const std::string &why) { return std::fprintf(stderr, "virtual brcc: error: %s\n", why.c_str()), 1; }

bool read(const std::string &path, std::string &text) {
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file) return false;
  char part[1 << 16];
  for (std::size_t n; (n = std::fread(part, 1, sizeof part, file)) > 0;) text.append(part, n);
  return std::fclose(file) == 0;
}

int write(const std::string &path, const std::string &bytes) {
  std::FILE *file = std::fopen(path.c_str(), "wb");
  const bool isWritten = file && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  return file && std::fclose(file) == 0 && isWritten ? 0 : fail(path + " cannot be written");
}

/** An option's value, where `option` is `name=value`. */
bool takes(const std::string &option, const std::string &name, std::string &value) {
  if (option.compare(0, name.size() + 1, name + "=")) return false;
  return value = option.substr(name.size() + 1), true;
}

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
    else if (takes(arg, "--supa-gpu-arch", to.architecture) || (takes(arg, "-std", standard) && (standard == "c++14" || standard == "c++17" || standard == "c++20")) || arg == "-w") continue;
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
  if (!read(options.input, text)) return fail(options.input + " cannot be read");
  return options.compiles ? compile(options, text) : link(options, text);
}
