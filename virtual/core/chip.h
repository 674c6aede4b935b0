// The facts of the chip that a library was built as: written into it by whoever builds it (src/runtime/virtualChip.ts).
#pragma once

namespace anychip {

struct Fact {
  const char *name;
  long long value;
};

struct ChipFacts {
  /** 'virtual NVIDIA H100': every message begins with it. */
  const char *title;
  const Fact *facts;
  int count;
  /** The command that compiles kernels: program, arguments. Ends with null. */
  const char *const *compiler;
  /** The folder of the header that gives the kernel language its meaning. */
  const char *include;
  /** The object that every program is linked with. */
  const char *runtime;
};

extern const ChipFacts chip;

bool hasFact(const char *name);
/** Aborts where the chip has no such fact: the table that made it is wrong. */
long long fact(const char *name);

}  // namespace anychip
