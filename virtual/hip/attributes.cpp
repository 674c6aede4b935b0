// What HIP tells of a device: its own numbers of attributes, and the properties, of which only the name and the architecture are filled in.
#include <cstdio>
#include <cstring>

#include "../core/report.h"

extern "C" __attribute__((visibility("default"))) int hipDeviceGetAttribute(int *value, int attribute, int) {
  const struct {
    int attribute;
    const char *fact;
  } known[] = {{56, "maxThreads"}, {74, "sharedBytes"}, {87, "subgroupThreads"}, {63, "units"}};
  for (auto &row : known)
    if (row.attribute == attribute) return *value = static_cast<int>(anychip::fact(row.fact)), 0;
  return anychip::say(anychip::Rule::limit, "attribute %d is not known", attribute), 1;
}

/** The layout without a revision in the function's name: 792 bytes, the name at their start. */
extern "C" __attribute__((visibility("default"))) int hipGetDeviceProperties(char *properties, int) {
  constexpr int BYTES = 792, ARCHITECTURE_AT = 396;
  std::memset(properties, 0, BYTES);
  std::snprintf(properties, 256, "%s", anychip::chip.title);
  std::snprintf(properties + ARCHITECTURE_AT, 256, "gfx%lld", anychip::fact("architecture"));
  return 0;
}
