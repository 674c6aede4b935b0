// What CUDA's driver is asked of a device, by its own numbers of attributes.
#include "../core/report.h"

extern "C" __attribute__((visibility("default"))) int NAME(DeviceGetAttribute)(int *value, int attribute, int) {
  const struct {
    int attribute;
    long long value;
  } known[] = {
      {1, anychip::fact("maxThreads")}, {8, anychip::fact("sharedBytes")}, {10, anychip::fact("subgroupThreads")}, {16, anychip::fact("units")},
      {75, anychip::fact("architecture") / 10}, {76, anychip::fact("architecture") % 10}, {97, anychip::fact("givenSharedBytes")},
  };
  for (auto &row : known)
    if (row.attribute == attribute) return *value = static_cast<int>(row.value), 0;
  return anychip::say(anychip::Rule::limit, "attribute %d is not known", attribute), 1;
}
