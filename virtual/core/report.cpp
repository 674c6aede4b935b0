// See report.h.
#include "report.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

namespace anychip {

static const char *const ruleNames[] = {"none",           "out of bounds",        "use after free", "misaligned",    "read of never-written memory", "race", "barrier",
                                        "host memory",    "limit of the chip",    "granularity",    "missing order", "unsupported dtype",            "layout",    "injected fault"};

const char *ruleName(Rule rule) { return ruleNames[static_cast<int>(rule)]; }

static std::mutex mutex;
static char message[768] = "";

static const Fact *findFact(const char *name) {
  for (int i = 0; i < chip.count; i++)
    if (!std::strcmp(chip.facts[i].name, name)) return &chip.facts[i];
  return nullptr;
}
bool hasFact(const char *name) { return findFact(name) != nullptr; }

long long fact(const char *name) {
  if (const Fact *found = findFact(name)) return found->value;
  std::fprintf(stderr, "%s has no fact '%s'\n", chip.title, name);
  std::abort();
}

Rule say(Rule rule, const char *format, ...) {
  std::lock_guard<std::mutex> lock(mutex);
  int at = std::snprintf(message, sizeof message, "%s: %s: ", chip.title, ruleName(rule));
  va_list args;
  va_start(args, format);
  std::vsnprintf(message + at, sizeof message - at, format, args);
  va_end(args);
  const char *debug = std::getenv("ANYCHIP_DEBUG");
  if (debug && std::atoi(debug) >= 2) std::fprintf(stderr, "%s\n", message);
  return rule;
}

/** A copy for each thread: the caller may hold it while another thread says something else. */
const char *lastMessage() {
  static thread_local char copy[sizeof message];
  std::lock_guard<std::mutex> lock(mutex);
  std::memcpy(copy, message, sizeof copy);
  return copy;
}

bool isFaulty(const char *what) {
  static std::map<std::string, int> uses;
  const char *asked = std::getenv("ANYCHIP_FAULT");
  if (!asked) return false;
  std::lock_guard<std::mutex> lock(mutex);
  int use = ++uses[what];
  const std::size_t length = std::strlen(what);
  for (const char *at = asked; at; at = std::strchr(at, ',') ? std::strchr(at, ',') + 1 : nullptr)
    if (!std::strncmp(at, what, length) && at[length] == ':' && std::atoi(at + length + 1) == use) return true;
  return false;
}

}  // namespace anychip
