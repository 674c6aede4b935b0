// hiprtc: the interface of NVRTC under other names.
#include "../cuda/compiler.cpp"
