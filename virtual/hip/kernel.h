// HIP C++ is CUDA C++ to the kernels here; as its run-time compiler does, it needs no header of HIP.
#define __HIPCC_RTC__ 1
#include "../cuda/kernel.h"
