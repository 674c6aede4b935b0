// MACA C++ is CUDA C++ to the kernels here.
#include "../cuda/kernel.h"
