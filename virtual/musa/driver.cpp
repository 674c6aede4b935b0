// MUSA: the same functions under other names.
#include "../cuda/driver.cpp"
#include "../cuda/attributes.cpp"
#include "../cuda/compiler.cpp"
