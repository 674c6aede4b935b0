// What programs that stand in for a vendor's compiler have in common: files, and how they fail.
#pragma once

#include <cstdio>
#include <string>

namespace anychip {

/** `name`: 'virtual brcc'. The status to leave with. */
inline int fail(const char *name, const std::string &why) { return std::fprintf(stderr, "%s: error: %s\n", name, why.c_str()), 1; }

inline bool readFile(const std::string &path, std::string &text) {
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file) return false;
  char part[1 << 16];
  for (std::size_t n; (n = std::fread(part, 1, sizeof part, file)) > 0;) text.append(part, n);
  return std::fclose(file) == 0;
}

inline bool writeFile(const std::string &path, const std::string &bytes) {
  std::FILE *file = std::fopen(path.c_str(), "wb");
  const bool isWritten = file && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  return file && std::fclose(file) == 0 && isWritten;
}

/** An option's value, where `option` is `name=value`. */
inline bool takesValue(const std::string &option, const std::string &name, std::string &value) {
  if (option.compare(0, name.size() + 1, name + "=")) return false;
  return value = option.substr(name.size() + 1), true;
}

}  // namespace anychip
