// MUSA: the same functions under other names.
#include "../cuda/driver.cpp"
#include "../cuda/compiler.cpp"
