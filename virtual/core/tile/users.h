// Which cores of a launch used which bytes of global memory. Cores of a launch run in any order, so none may use what another writes.
// Here they run one after the other, each with a number that goes on through all launches of the device; its low half is kept for each
// byte, so that bytes that a core used before are seen at once, many at a time.
#pragma once

#include <string.h>
#include <sys/mman.h>

#include "../machine.h"

namespace anychip {

class Users {
 public:
  enum class Clash { none, written, read };

  void make(const Machine &machine) {
    writers_ = static_cast<Mark *>(machine.notes[0]);
    readers_ = static_cast<Mark *>(machine.notes[1]);
    noteBytes_ = machine.bytes * sizeof(Mark);
    clock_ = machine.clock;
  }
  /** A launch of so many cores begins, fewer than there are marks. Where these would begin anew, nothing is left of those before. */
  void begin(unsigned cores) {
    const unsigned used = *clock_ % MARKS;
    if (used + cores >= MARKS) {
      madvise(writers_, noteBytes_, MADV_DONTNEED);
      madvise(readers_, noteBytes_, MADV_DONTNEED);
      *clock_ += MARKS - used;
    }
    first_ = *clock_ + 1;
    *clock_ += cores;
  }
  /** The core of this number runs from now on. */
  void run(unsigned core) { self_ = first_ + core; }
  /** Its own number, and whether another is that of a core of this launch that ran before. */
  unsigned self() const { return self_; }
  bool isOther(unsigned number) const { return number >= first_ && number != self_; }
  unsigned coreOf(unsigned number) const { return number - first_; }

  /** Whether all that reading there asks was asked before: this core read it, or several did. */
  bool hasRead(uint64_t at, uint64_t bytes) const { return bytes == 4 ? isQuad(readers_ + at) : are(readers_ + at, bytes); }
  bool hasWritten(uint64_t at, uint64_t bytes) const {
    Mark wrong = 0;
    for (uint64_t i = 0; i < bytes; i++) wrong |= writers_[at + i] ^ mark(self_);
    return wrong == 0;
  }
  Clash read(uint64_t at, uint64_t bytes) {
    if (hasOther(writers_ + at, bytes)) return Clash::written;
    // What several read is the first core's: whoever comes after it is another.
    for (uint64_t i = at; i < at + bytes; i++) readers_[i] = isMarked(readers_[i]) ? mark(first_) : mark(self_);
    return Clash::none;
  }
  Clash write(uint64_t at, uint64_t bytes) {
    if (hasOther(writers_ + at, bytes)) return Clash::written;
    if (hasOther(readers_ + at, bytes)) return Clash::read;
    for (uint64_t i = at; i < at + bytes; i++) writers_[i] = mark(self_);
    return Clash::none;
  }

 private:
  using Mark = uint16_t;
  static_assert(sizeof(Mark) == NOTE_BYTES);
  static constexpr unsigned MARKS = 1 << 16;
  static Mark mark(unsigned number) { return static_cast<Mark>(number); }
  /** Marks grow from core to core, and none is greater than that of the core that runs. */
  bool isMarked(Mark user) const { return user >= mark(first_) && user != mark(self_); }

  bool hasOther(const Mark *users, uint64_t bytes) const {
    unsigned char any = 0;
    for (uint64_t i = 0; i < bytes; i++) any |= isMarked(users[i]);
    return any != 0;
  }
  bool are(const Mark *users, uint64_t bytes) const {
    Mark wrong = 0;
    for (uint64_t i = 0; i < bytes; i++) wrong |= (users[i] ^ mark(self_)) != 0 & (users[i] ^ mark(first_)) != 0;
    return wrong == 0;
  }
  bool isQuad(const Mark *users) const {
    uint64_t four;
    memcpy(&four, users, sizeof four);
    return four == mark(self_) * EACH || four == mark(first_) * EACH;
  }
  static constexpr uint64_t EACH = 0x0001000100010001;

  Mark *writers_, *readers_;
  uint64_t noteBytes_;
  unsigned *clock_;
  unsigned first_, self_;
};

}  // namespace anychip
