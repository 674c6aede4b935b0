// See memory.h.
#include "memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "report.h"

namespace anychip {

/** Allocations begin at multiples of this, and at least as much lies unused after each. */
static constexpr std::uint64_t GRAIN = 512;
static constexpr std::uint64_t PAGE = 4096;

static void *reserve(std::uint64_t bytes) {
  void *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at != MAP_FAILED) return at;
  std::fprintf(stderr, "%s: the system gives no address range of %llu bytes\n", chip.title, static_cast<unsigned long long>(bytes));
  std::abort();
}

static char *reserveNotes(std::uint64_t bytes) { return static_cast<char *>(reserve((bytes + PAGE) * NOTE_BYTES)); }

/** Half as much again as the chip has, so that freed addresses stay unused for long. */
Memory::Memory(std::uint64_t bytes)
    : capacity_(bytes), reserved_((bytes + bytes / 2 + PAGE - 1) / PAGE * PAGE), base_(static_cast<char *>(reserve(reserved_ + PAGE))), shadow_(static_cast<unsigned char *>(reserve(reserved_ + PAGE))), notes_{reserveNotes(reserved_), reserveNotes(reserved_)} {}

static std::uint64_t spanOf(std::uint64_t bytes) { return (bytes + GRAIN - 1) / GRAIN * GRAIN + GRAIN; }

/** The first gap from where the last allocation ended; then from the start. */
std::uint64_t Memory::place(std::uint64_t span) {
  for (int turn = 0; turn < 2; turn++, next_ = 0) {
    std::uint64_t at = next_;
    auto after = allocations_.lower_bound(at);
    if (after != allocations_.begin()) {
      auto before = std::prev(after);
      at = std::max(at, before->first + spanOf(before->second));
    }
    for (; after != allocations_.end() && at + span > after->first; ++after) at = after->first + spanOf(after->second);
    if (at + span <= reserved_) return next_ = at;
  }
  return UINT64_MAX;
}

void *Memory::allocate(std::uint64_t bytes) {
  if (isFaulty("malloc")) return say(Rule::fault, "this allocation of %llu bytes fails, as ANYCHIP_FAULT asks", static_cast<unsigned long long>(bytes)), nullptr;
  std::lock_guard<std::mutex> lock(mutex_);
  const std::uint64_t span = spanOf(bytes), charged = span - GRAIN;
  const std::uint64_t at = used_ + charged > capacity_ ? UINT64_MAX : place(span);
  if (at == UINT64_MAX) {
    say(Rule::limit, "%llu bytes do not fit: %llu of %llu are in use", static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(used_),
        static_cast<unsigned long long>(capacity_));
    return nullptr;
  }
  freed_.erase(freed_.lower_bound(at), freed_.lower_bound(at + span));
  allocations_[at] = bytes;
  used_ += charged;
  next_ = at + span;
  std::memset(shadow_ + at, ALLOCATED, bytes);
  return base_ + at;
}

/** Gives pages back to the system; they read as zeros. */
void Memory::discard(std::uint64_t offset, std::uint64_t span) {
  std::memset(shadow_ + offset, 0, span);
  const std::uint64_t from = (offset + PAGE - 1) / PAGE * PAGE, to = (offset + span) / PAGE * PAGE;
  if (to <= from) return;
  madvise(base_ + from, to - from, MADV_DONTNEED);
  madvise(shadow_ + from, to - from, MADV_DONTNEED);
  for (char *notes : notes_) madvise(notes + from * NOTE_BYTES, (to - from) * NOTE_BYTES, MADV_DONTNEED);
}

bool Memory::free(void *address) {
  std::lock_guard<std::mutex> lock(mutex_);
  const std::uint64_t offset = offsetOf(address);
  auto found = allocations_.find(offset);
  if (found == allocations_.end()) {
    const bool again = freed_.count(offset) != 0;
    say(again ? Rule::freed : Rule::bounds, again ? "%p is freed a second time" : "%p is freed, but no allocation begins there", address);
    return false;
  }
  const std::uint64_t span = spanOf(found->second);
  discard(offset, span);
  used_ -= span - GRAIN;
  freed_[offset] = found->second;
  allocations_.erase(found);
  return true;
}

void Memory::reset() {
  std::vector<std::uint64_t> all;
  for (auto &entry : allocations_) all.push_back(entry.first);
  for (std::uint64_t offset : all) free(base_ + offset);
  next_ = 0;
}

std::uint64_t Memory::freeBytes() {
  std::lock_guard<std::mutex> lock(mutex_);
  return capacity_ - used_;
}

std::size_t Memory::count() {
  std::lock_guard<std::mutex> lock(mutex_);
  return allocations_.size();
}

std::string Memory::describe(const void *address, std::uint64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  char text[200];
  if (!isDevice(address)) {
    std::snprintf(text, sizeof text, "%p is no address of device memory", address);
    return text;
  }
  const std::uint64_t offset = offsetOf(address);
  for (auto *table : {&freed_, &allocations_}) {
    auto after = table->upper_bound(offset);
    if (after == table->begin()) continue;
    auto block = std::prev(after);
    const std::uint64_t from = offset - block->first;
    if (table == &freed_ ? from >= block->second : from >= spanOf(block->second) + GRAIN) continue;
    std::snprintf(text, sizeof text, "bytes %llu to %llu of %s %llu bytes at %p", static_cast<unsigned long long>(from), static_cast<unsigned long long>(from + bytes),
                  table == &freed_ ? "freed" : "the", static_cast<unsigned long long>(block->second), static_cast<void *>(base_ + block->first));
    return text;
  }
  std::snprintf(text, sizeof text, "%p, where nothing is allocated", address);
  return text;
}

Rule Memory::broken(const char *what, const char *verb, const void *address, std::uint64_t bytes, unsigned char bit) {
  if (bytes == 0) return Rule::none;
  const std::uint64_t offset = offsetOf(address);
  if (offset >= reserved_ || bytes > reserved_ - offset) return say(Rule::host, "%s %s %s", what, verb, describe(address, bytes).c_str());
  const std::uint64_t all = 0x0101010101010101ull * bit;
  for (std::uint64_t i = 0; i < bytes;) {
    std::uint64_t eight;
    std::memcpy(&eight, shadow_ + offset + i, 8);
    if (i + 8 <= bytes && (eight & all) == all) {
      i += 8;
      continue;
    }
    const unsigned char state = shadow_[offset + i];
    if (!(state & bit)) return say(state & ALLOCATED ? Rule::unwritten : ruleAt(offset + i), "%s %s %s", what, verb, describe(base_ + offset + i, bytes - i).c_str());
    i++;
  }
  return Rule::none;
}

Rule Memory::ruleAt(std::uint64_t offset) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto after = freed_.upper_bound(offset);
  return after != freed_.begin() && offset < std::prev(after)->first + std::prev(after)->second ? Rule::freed : Rule::bounds;
}

Rule Memory::checkWrite(const char *what, const void *address, std::uint64_t bytes) { return broken(what, "writes", address, bytes, ALLOCATED); }
Rule Memory::checkRead(const char *what, const void *address, std::uint64_t bytes) { return broken(what, "reads", address, bytes, WRITTEN); }

Rule Memory::copy(const char *what, void *to, const void *from, std::uint64_t bytes) {
  if (isDevice(from))
    if (Rule rule = checkRead(what, from, bytes); rule != Rule::none) return rule;
  if (isDevice(to)) {
    if (Rule rule = checkWrite(what, to, bytes); rule != Rule::none) return rule;
    std::memset(shadow_ + offsetOf(to), ALLOCATED | WRITTEN, bytes);
  }
  std::memmove(to, from, bytes);
  return Rule::none;
}

Rule Memory::fill(const char *what, void *to, int value, std::uint64_t bytes) {
  if (Rule rule = checkWrite(what, to, bytes); rule != Rule::none) return rule;
  std::memset(shadow_ + offsetOf(to), ALLOCATED | WRITTEN, bytes);
  std::memset(to, value, bytes);
  return Rule::none;
}

}  // namespace anychip
