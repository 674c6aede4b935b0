// Device memory: a range of addresses as large as the chip's memory, given out with guards between, and a shadow byte for each byte that
// says whether it is allocated and whether anything was ever written there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "machine.h"

namespace anychip {

class Memory {
 public:
  explicit Memory(std::uint64_t bytes);
  /** Null where the chip's memory does not hold it. */
  void *allocate(std::uint64_t bytes);
  /** False, with a message, for an address that `allocate` did not give or that was freed. */
  bool free(void *address);
  std::uint64_t freeBytes();
  std::uint64_t totalBytes() const { return capacity_; }
  std::size_t count();

  bool isDevice(const void *address) const { return offsetOf(address) < reserved_; }
  /** Rule::none where all bytes may be written; else the broken rule, with a message that begins with `what`. */
  Rule checkWrite(const char *what, const void *address, std::uint64_t bytes);
  /** The same for reading, what was never written included. */
  Rule checkRead(const char *what, const void *address, std::uint64_t bytes);
  /** Checks, copies and marks. Either side may be host memory. */
  Rule copy(const char *what, void *to, const void *from, std::uint64_t bytes);
  Rule fill(const char *what, void *to, int value, std::uint64_t bytes);
  /** Where `address` lies: 'byte 1028 of the 1024 bytes at 0x…'. */
  std::string describe(const void *address, std::uint64_t bytes);

  char *base() const { return base_; }
  std::uint64_t reserved() const { return reserved_; }
  unsigned char *shadow() const { return shadow_; }
  void *notes(int kind) const { return notes_[kind]; }
  unsigned *clock() { return &clock_; }
  /** The rule that a use of unallocated memory there breaks: of what was freed, or never given out. */
  Rule ruleAt(const void *address) { return ruleAt(offsetOf(address)); }
  /** Forgets everything: what a reset of the device does. */
  void reset();

 private:
  std::uint64_t offsetOf(const void *address) const { return reinterpret_cast<std::uint64_t>(address) - reinterpret_cast<std::uint64_t>(base_); }
  std::uint64_t place(std::uint64_t span);
  void discard(std::uint64_t offset, std::uint64_t span);
  Rule ruleAt(std::uint64_t offset);
  Rule broken(const char *what, const char *verb, const void *address, std::uint64_t bytes, unsigned char bit);

  std::mutex mutex_;
  std::uint64_t capacity_, reserved_, used_ = 0, next_ = 0;
  char *base_;
  unsigned char *shadow_;
  char *notes_[2];
  unsigned clock_ = 0;
  /** Bytes asked for, by offset. */
  std::map<std::uint64_t, std::uint64_t> allocations_;
  /** What was freed and not given out again. */
  std::map<std::uint64_t, std::uint64_t> freed_;
};

}  // namespace anychip
