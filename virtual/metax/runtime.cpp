// MACA: the same functions under other names.
#include "../hip/runtime.cpp"
#include "../cuda/compiler.cpp"
