// What a driver over host memory keeps: the device's memory and work, handles that are alive, and kernels handed to it. Included by the
// driver of each vendor, which gives it names and statuses.
#pragma once

#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "memory.h"
#include "program.h"
#include "report.h"
#include "work.h"

namespace anychip {

struct Function;
struct Module {
  std::unique_ptr<Program> program;
  std::vector<std::unique_ptr<Function>> functions;
};
struct Function {
  Module *module;
  const KernelEntry *kernel;
};

struct Objects {
  Memory memory{static_cast<std::uint64_t>(fact("memoryBytes"))};
  Worker worker;
  std::set<void *> alive;

  bool isAlive(void *object) const { return alive.count(object) != 0; }
  template <class T>
  T *add(T *object) {
    alive.insert(object);
    return object;
  }
  /** False, with a message, where the handle was destroyed before or never made. */
  template <class T>
  bool drop(T *object, const char *kind) {
    if (!alive.erase(object)) return say(Rule::freed, "%s %p was destroyed before or never made", kind, static_cast<void *>(object)), false;
    delete object;
    return true;
  }
  bool isStream(void *stream) const { return isAlive(stream) || (say(Rule::freed, "stream %p was destroyed or never made", stream), false); }

  /** Null, with a message, where the bytes are no program for the chip. */
  Module *load(const void *bytes, const std::string &architecture) {
    std::unique_ptr<Module> module(new Module);
    module->program = Program::load(bytes, architecture, memory);
    return module->program ? add(module.release()) : nullptr;
  }
  bool unload(Module *module) {
    if (isAlive(module))
      for (auto &function : module->functions) alive.erase(function.get());
    return drop(module, "module");
  }
  Function *find(Module *module, const char *name) {
    if (!isAlive(module)) return say(Rule::freed, "module %p was unloaded or never loaded", static_cast<void *>(module)), nullptr;
    const KernelEntry *kernel = module->program->find(name);
    if (!kernel) return nullptr;
    module->functions.emplace_back(new Function{module, kernel});
    return add(module->functions.back().get());
  }

  /** Where a copy's ends must lie. */
  bool endsFit(void *to, const void *from, std::size_t bytes, bool toDevice, bool fromDevice) {
    if (memory.isDevice(to) != toDevice || memory.isDevice(from) != fromDevice) return say(Rule::host, "a copy from %p to %p: one side is not where the call says", from, to), false;
    return !toDevice || memory.checkWrite("a copy", to, bytes) == Rule::none;
  }

  /** Hands in a launch on cores with scratchpads; `statusOf` gives a driver's status for a broken rule. */
  int launch(Function *function, unsigned groups, unsigned cores, Stream *stream, void *const *params, int (*statusOf)(Rule)) {
    const KernelEntry *kernel = function->kernel;
    const auto declared = function->module->program->sharedBytes(kernel);
    if (declared > static_cast<std::uint64_t>(fact("scratchBytes")))
      return statusOf(say(Rule::limit, "kernel %s declares %llu bytes of scratchpad, and a core has %lld", kernel->name, static_cast<unsigned long long>(declared), fact("scratchBytes")));
    const auto apart = function->module->program->apartBytes(kernel);
    if (apart > 0 && apart > static_cast<std::uint64_t>(fact("bBytes")))
      return statusOf(say(Rule::limit, "kernel %s declares %llu bytes of a matrix unit's memory, and a core has %lld", kernel->name, static_cast<unsigned long long>(apart), fact("bBytes")));
    if (isFaulty("launch")) return statusOf(say(Rule::fault, "this launch of %s fails, as ANYCHIP_FAULT asks", kernel->name));
    const bool hangs = isFaulty("hang");
    auto args = std::make_shared<Arguments>(kernel, params);
    return worker.enqueue(stream, [=] {
      if (hangs) {
        say(Rule::fault, "kernel %s hangs, as ANYCHIP_FAULT asks", kernel->name);
        worker.hang();
      }
      const Launch what{kernel, args->pointers(), {groups, 1, 1}, {cores, 1, 1}, 0};
      return statusOf(function->module->program->run(what));
    });
  }
};

}  // namespace anychip
