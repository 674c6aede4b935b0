// Programs: kernel source made into code of this machine by the system's C++ compiler, and that code loaded and launched.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "machine.h"
#include "memory.h"

namespace anychip {

struct CompileRequest {
  /** The source, with the declarations of kernels that `declareKernels` adds. */
  std::string text;
  /** The chip that the code is for: programs of others are refused. */
  std::string architecture;
  /** Arguments for the compiler besides those that every program gets. */
  std::vector<std::string> flags;
};

/** The program, or an empty string and what the compiler said in `log`. */
std::string compileProgram(const CompileRequest &request, std::string &log);

/** What a kernel's head says: names of kernels and the most threads they may be launched with (0: any), in the order of the source. */
struct KernelHead {
  std::string name;
  std::string maxThreads;
};
/** Finds functions marked with `mark` ('__global__'); `bounds` is the word before the most threads, if the language has one. */
std::vector<KernelHead> findKernels(const std::string &source, const std::string &mark, const std::string &bounds);
/** Lines that give the kernels to the loader: ANYCHIP_KERNELS(…) of kernel.h. */
std::string declareKernels(const std::vector<KernelHead> &heads);

class Program {
 public:
  /** Null, with a message, where `bytes` are no program for this chip. Lengths are in the program itself. */
  static std::unique_ptr<Program> load(const void *bytes, const std::string &architecture, Memory &memory);
  ~Program();
  /** Null, with a message, where there is none. */
  const KernelEntry *find(const std::string &name) const;
  /** Bytes of the block's shared memory that the kernel declares. */
  std::uint64_t sharedBytes(const KernelEntry *kernel) const;
  /** Those that it expects the launch to give. */
  std::uint64_t givenBytes(const KernelEntry *kernel) const;
  /** Those that it declares in a matrix unit's own memory. */
  std::uint64_t apartBytes(const KernelEntry *kernel) const;
  Rule run(const Launch &launch) const;

 private:
  Program() = default;
  const KernelEntry *has(const std::string &name) const;
  void *library_ = nullptr;
  RunFunction run_ = nullptr;
  const KernelEntry *const *kernels_ = nullptr;
  std::vector<std::string> names_;
  std::vector<SharedVariable> shared_;
  Machine machine_{};
};

/** The values of a launch's parameters, kept until it runs. */
class Arguments {
 public:
  Arguments(const KernelEntry *kernel, void *const *params);
  void *const *pointers() const { return pointers_.data(); }

 private:
  std::vector<unsigned long long> cells_;
  std::vector<void *> pointers_;
};

}  // namespace anychip
