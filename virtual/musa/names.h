// How Moore Threads spells the functions of the driver interface, which are CUDA's, and of its compiler.
#pragma once

#define NAME(name) mu##name
/** Functions whose second version is the one in use. */
#define NAME2(name) mu##name##_v2
#define ERROR_PREFIX "MUSA_ERROR_"
#define ARCHITECTURE_PREFIX "mp_"

#define COMPILER_NAME(name) mtrtc##name
#define BINARY_SIZE_NAME mtrtcGetFatBinSize
#define BINARY_NAME mtrtcGetFatBin
#define ARCHITECTURE_OPTION "--gpu-architecture"
#define CONTRACT_OPTION "-ffp-contract"
/** There is none that names the language. */
#define LANGUAGE_OPTION ""
