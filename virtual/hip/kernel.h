// HIP C++ is CUDA C++ to the kernels here; as its run-time compiler does, it needs no header of HIP.
#define __HIPCC_RTC__ 1
#include "../cuda/kernel.h"

#define __shfl_xor(value, lanes) anychip_shuffle(value, anychip_lane() ^ (lanes), __LINE__)
