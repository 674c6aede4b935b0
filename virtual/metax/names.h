// How MetaX spells the functions of its runtime, which are HIP's, and of its compiler.
#pragma once

#define NAME(name) mc##name
#define NAME2(name) NAME(name)
#define ERROR_PREFIX "mcError"
#define ARCHITECTURE_PREFIX "xcore"

#define COMPILER_NAME(name) mcrtc##name
#define BINARY_SIZE_NAME mcrtcGetBitcodeSize
#define BINARY_NAME mcrtcGetBitcode
#define ARCHITECTURE_OPTION "--offload-arch"
#define CONTRACT_OPTION "-ffp-contract"
#define LANGUAGE_OPTION "-x maca"
