// How HIP spells the functions of its runtime and of its compiler.
#pragma once

#define NAME(name) hip##name
#define NAME2(name) NAME(name)
#define ERROR_PREFIX "hipError"
#define ARCHITECTURE_PREFIX "gfx"

#define COMPILER_NAME(name) hiprtc##name
#define BINARY_SIZE_NAME hiprtcGetCodeSize
#define BINARY_NAME hiprtcGetCode
#define ARCHITECTURE_OPTION "--offload-arch"
#define CONTRACT_OPTION "-ffp-contract"
/** There is none that names the language. */
#define LANGUAGE_OPTION ""
