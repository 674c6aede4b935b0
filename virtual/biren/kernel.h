// SUPA C++ of general mode is CUDA C++ with other words.
#pragma once
#include "../cuda/kernel.h"

#define thread_idx threadIdx
#define block_idx blockIdx
#define block_dim blockDim
#define grid_dim gridDim
#define warp_size warpSize
#define fmaf __builtin_fmaf
