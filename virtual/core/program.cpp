// See program.h.
#include "program.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "report.h"

extern char **environ;

namespace anychip {

/** A program's head: who made it, and for what. The code follows. */
struct Head {
  char magic[32];
  char architecture[32];
  std::uint64_t bytes;
};
static const char MAGIC[32] = "anychip virtual chip program 1";

// ---- compiling ----

static std::string readFile(const std::string &path) {
  std::string text;
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file) return text;
  char part[1 << 16];
  for (std::size_t n; (n = std::fread(part, 1, sizeof part, file)) > 0;) text.append(part, n);
  std::fclose(file);
  return text;
}

struct Folder {
  std::string path;
  Folder() {
    const char *root = std::getenv("TMPDIR");
    std::string name = std::string(root && *root ? root : "/tmp") + "/anychip-virtual-XXXXXX";
    path = mkdtemp(name.data()) ? name : "";
  }
  ~Folder() {
    for (const char *name : {"/k.cpp", "/k.o", "/k.so", "/log"}) unlink((path + name).c_str());
    rmdir(path.c_str());
  }
};

/** Runs the compiler in `folder`; what it says is added to `log`. */
static bool runCompiler(const Folder &folder, const std::vector<std::string> &args, std::string &log) {
  std::vector<char *> argv;
  for (auto word = chip.compiler; *word; word++) argv.push_back(const_cast<char *>(*word));
  for (auto &arg : args) argv.push_back(const_cast<char *>(arg.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const std::string said = folder.path + "/log";
  posix_spawn_file_actions_addopen(&actions, 1, said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid;
  const int failed = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed) return log += std::string(argv[0]) + " does not start: " + std::strerror(failed) + "\n", false;
  int status;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  log += readFile(said);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/**
 * Accesses of kernels are checked through the calls that the compiler's race detector puts before each; the runtime has its own
 * definitions of them. Loads stay where they are written, and shared variables in the order in which they are declared, with guards between.
 */
static const char *const FLAGS[] = {"-std=c++17", "-O1", "-fPIC", "-w", "-pipe", "-fsanitize=thread", "-fno-tree-sink", "-fno-toplevel-reorder", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden", "-fno-strict-aliasing", "-fwrapv", "-fno-math-errno", "-fno-trapping-math", "-fno-stack-protector", "-U_FORTIFY_SOURCE"};

std::string compileProgram(const CompileRequest &request, std::string &log) {
  Folder folder;
  if (folder.path.empty()) return log = "no folder for temporary files can be made", "";
  const std::string source = folder.path + "/k.cpp", object = folder.path + "/k.o", library = folder.path + "/k.so";
  const std::string text = "#include \"kernel.h\"\n#line 1 \"kernels\"\n" + request.text;
  std::FILE *file = std::fopen(source.c_str(), "wb");
  const bool isWritten = file && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (!file || std::fclose(file) != 0 || !isWritten) return log = "the kernels cannot be written to " + source, "";
  std::vector<std::string> args(std::begin(FLAGS), std::end(FLAGS));
  args.insert(args.end(), request.flags.begin(), request.flags.end());
  args.insert(args.end(), {std::string("-I") + chip.include, "-c", "-o", object, source});
  if (!runCompiler(folder, args, log)) return "";
  if (!runCompiler(folder, {"-shared", "-nostdlib", "-Wl,-z,now", "-o", library, object, chip.runtime}, log)) return "";
  const std::string code = readFile(library);
  Head head{};
  std::memcpy(head.magic, MAGIC, sizeof head.magic);
  std::snprintf(head.architecture, sizeof head.architecture, "%s", request.architecture.c_str());
  head.bytes = code.size();
  return std::string(reinterpret_cast<const char *>(&head), sizeof head) + code;
}

static bool isWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

std::vector<KernelHead> findKernels(const std::string &source, const std::string &mark, const std::string &bounds) {
  std::vector<KernelHead> heads;
  for (std::size_t at = source.find(mark); at != std::string::npos; at = source.find(mark, at + 1)) {
    if ((at > 0 && isWord(source[at - 1])) || isWord(source[at + mark.size()])) continue;
    KernelHead head{"", "0"};
    std::string word;
    for (std::size_t i = at + mark.size(); i < source.size(); i++) {
      const char c = source[i];
      if (isWord(c)) {
        if (i > 0 && !isWord(source[i - 1])) word.clear();
        word += c;
      } else if (c == '(' && word == bounds && !bounds.empty()) {
        const std::size_t end = source.find_first_of(",)", i);
        head.maxThreads = source.substr(i + 1, end - i - 1);
        i = source.find(')', i);
        word.clear();
      } else if (c == '(' || c == ';' || c == '{') {
        if (c == '(') head.name = word;
        break;
      }
    }
    if (!head.name.empty()) heads.push_back(head);
  }
  return heads;
}

std::string declareKernels(const std::vector<KernelHead> &heads) {
  std::string entries, list;
  for (auto &head : heads) {
    entries += "\nANYCHIP_KERNEL(" + head.name + ", " + head.maxThreads + ")";
    list += "ANYCHIP_ENTRY(" + head.name + "), ";
  }
  return entries + "\nANYCHIP_KERNELS(" + list + "0)\n";
}

// ---- loading ----

/** Opens code that lies in memory: through a file, whose name no library that is open may have. */
static void *openCode(const char *code, std::uint64_t bytes) {
  const char *root = std::getenv("TMPDIR");
  std::string path = std::string(root && *root ? root : "/tmp") + "/anychip-virtual-XXXXXX";
  const int file = mkstemp(path.data());
  if (file < 0) return nullptr;
  std::uint64_t written = 0;
  while (written < bytes) {
    const ssize_t n = write(file, code + written, bytes - written);
    if (n <= 0) break;
    written += static_cast<std::uint64_t>(n);
  }
  close(file);
  void *library = written == bytes ? dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  unlink(path.c_str());
  return library;
}

/**
 * The block's shared variables: statics of kernels, by the names that compilers give them, '_ZZ<length><kernel>…E…'. Guards between them,
 * and statics of other functions, are none.
 */
struct SharedName {
  std::string kernel, name;
  std::uint64_t offset, bytes;
};

static std::vector<SharedName> sharedNames(const char *code, std::uint64_t bytes) {
  std::vector<SharedName> found;
  const auto *head = reinterpret_cast<const ElfW(Ehdr) *>(code);
  const auto *sections = reinterpret_cast<const ElfW(Shdr) *>(code + head->e_shoff);
  for (int s = 0; s < head->e_shnum; s++) {
    if (sections[s].sh_type != SHT_SYMTAB || sections[s].sh_offset + sections[s].sh_size > bytes) continue;
    const auto *symbols = reinterpret_cast<const ElfW(Sym) *>(code + sections[s].sh_offset);
    const char *names = code + sections[sections[s].sh_link].sh_offset;
    for (std::uint64_t i = 0; i < sections[s].sh_size / sizeof *symbols; i++) {
      const char *name = names + symbols[i].st_name;
      if (std::strncmp(name, "_ZZ", 3) || !std::isdigit(static_cast<unsigned char>(name[3]))) continue;
      char *kernel;
      const unsigned long length = std::strtoul(name + 3, &kernel, 10);
      const char *own = std::strlen(kernel) > length ? std::strchr(kernel + length, 'E') : nullptr;
      if (!own || std::strstr(own, "anychip_guard_")) continue;
      while (*++own && std::isdigit(static_cast<unsigned char>(*own))) continue;
      found.push_back({std::string(kernel, length), own, symbols[i].st_value, symbols[i].st_size});
    }
  }
  return found;
}

static Memory *described;
static const char *describe(const void *address, std::uint64_t bytes) {
  static thread_local std::string text;
  text = described->describe(address, bytes);
  return text.c_str();
}

std::unique_ptr<Program> Program::load(const void *bytes, const std::string &architecture, Memory &memory) {
  const auto *head = static_cast<const Head *>(bytes);
  if (std::memcmp(head->magic, MAGIC, sizeof head->magic)) return say(Rule::limit, "this is no program for a virtual chip"), nullptr;
  if (architecture != head->architecture) return say(Rule::limit, "the program is for %s, the chip is %s", head->architecture, architecture.c_str()), nullptr;
  const char *code = reinterpret_cast<const char *>(head + 1);
  std::unique_ptr<Program> program(new Program);
  program->library_ = openCode(code, head->bytes);
  if (!program->library_) return say(Rule::limit, "the program does not load: %s", dlerror()), nullptr;
  auto load = reinterpret_cast<LoadFunction>(dlsym(program->library_, "anychip_load"));
  auto kernels = reinterpret_cast<KernelsFunction>(dlsym(program->library_, "anychip_kernels"));
  program->run_ = reinterpret_cast<RunFunction>(dlsym(program->library_, "anychip_run"));
  if (!load || !kernels || !program->run_) return say(Rule::limit, "the program lacks its runtime"), nullptr;
  program->kernels_ = kernels();
  const auto found = sharedNames(code, head->bytes);
  program->names_.reserve(2 * found.size());
  char *base = reinterpret_cast<char *>(static_cast<link_map *>(program->library_)->l_addr);
  for (auto &variable : found) {
    if (!program->has(variable.kernel)) continue;
    program->names_.push_back(variable.kernel);
    program->names_.push_back(variable.name);
    program->shared_.push_back({base + variable.offset, variable.bytes, program->names_.end()[-2].c_str(), program->names_.back().c_str(), !variable.name.compare(0, 6, "apart_")});
  }
  described = &memory;
  program->machine_ = {memory.base(), memory.reserved(), memory.shadow(), {memory.notes(0), memory.notes(1)}, memory.clock(), static_cast<unsigned>(hasFact("subgroupThreads") ? fact("subgroupThreads") : 1), fact, describe};
  load(&program->machine_, program->shared_.data(), static_cast<int>(program->shared_.size()));
  return program;
}

Program::~Program() {
  if (!library_) return;
  if (auto unload = reinterpret_cast<void (*)()>(dlsym(library_, "anychip_unload"))) unload();
  dlclose(library_);
}

const KernelEntry *Program::has(const std::string &name) const {
  for (auto entry = kernels_; *entry; entry++)
    if (name == (*entry)->name) return *entry;
  return nullptr;
}

const KernelEntry *Program::find(const std::string &name) const {
  if (const KernelEntry *entry = has(name)) return entry;
  say(Rule::limit, "the program has no kernel %s", name.c_str());
  return nullptr;
}

/** What headers call variables in memory that the launch gives, each of which begins at a multiple of GIVEN_ALIGNMENT. */
static bool isGiven(const SharedVariable &variable) { return !std::strncmp(variable.name, "given_", 6); }
static constexpr std::uint64_t GIVEN_ALIGNMENT = 1024;

std::uint64_t Program::sharedBytes(const KernelEntry *kernel) const {
  std::uint64_t sum = 0;
  for (auto &variable : shared_)
    if (!std::strcmp(variable.kernel, kernel->name) && !isGiven(variable) && !variable.isApart) sum += variable.bytes;
  return sum;
}

std::uint64_t Program::apartBytes(const KernelEntry *kernel) const {
  std::uint64_t sum = 0;
  for (auto &variable : shared_)
    if (!std::strcmp(variable.kernel, kernel->name) && variable.isApart) sum += variable.bytes;
  return sum;
}

std::uint64_t Program::givenBytes(const KernelEntry *kernel) const {
  std::uint64_t sum = 0;
  for (auto &variable : shared_)
    if (!std::strcmp(variable.kernel, kernel->name) && isGiven(variable)) sum += (variable.bytes + GIVEN_ALIGNMENT - 1) / GIVEN_ALIGNMENT * GIVEN_ALIGNMENT;
  return sum;
}

Rule Program::run(const Launch &launch) const {
  Violation violation{Rule::none, ""};
  if (run_(&launch, &violation)) return Rule::none;
  return say(violation.rule, "%s", violation.text);
}

Arguments::Arguments(const KernelEntry *kernel, void *const *params) {
  std::vector<std::size_t> starts;
  for (int i = 0; i < kernel->params; i++) {
    starts.push_back(cells_.size());
    cells_.resize(cells_.size() + (kernel->paramBytes[i] + 7u) / 8u);
    std::memcpy(&cells_[starts.back()], params[i], kernel->paramBytes[i]);
  }
  for (std::size_t start : starts) pointers_.push_back(&cells_[start]);
}

}  // namespace anychip
