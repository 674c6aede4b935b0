// How NVIDIA spells the functions of the driver interface and of the compiler.
#pragma once

#define NAME(name) cu##name
/** Functions whose second version is the one in use. */
#define NAME2(name) cu##name##_v2
#define ERROR_PREFIX "CUDA_ERROR_"

/** What ends the name of an architecture whose code uses what it alone has. */
#define SPECIFIC_SUFFIX 'a'
/** The number of the attribute that says how much shared memory launches of a kernel may give. */
#define FUNCTION_ATTRIBUTE 8

#define COMPILER_NAME(name) nvrtc##name
#define BINARY_SIZE_NAME nvrtcGetCUBINSize
#define BINARY_NAME nvrtcGetCUBIN
#define ARCHITECTURE_OPTION "--gpu-architecture"
#define ARCHITECTURE_PREFIX "sm_"
#define CONTRACT_OPTION "--fmad"
/** There is none that names the language. */
#define LANGUAGE_OPTION ""
