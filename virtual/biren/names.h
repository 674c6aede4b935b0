// How Biren spells the functions of its driver interface, which are CUDA's, one by one, and which numbers it gives to what went wrong.
#pragma once

#define NAME(name) SUPA_##name
#define NAME2(name) SUPA_##name

#define SUPA_Init sudrvInit
#define SUPA_DriverGetVersion sudrvGetVersion
#define SUPA_DeviceGetCount sudrvGetDeviceCount
#define SUPA_DeviceGet sudrvDeviceGet
#define SUPA_DeviceGetName sudrvDeviceGetName
#define SUPA_DeviceTotalMem sudrvDeviceTotalMem
#define SUPA_DevicePrimaryCtxRetain sudrvPrimaryContextRetain
#define SUPA_DevicePrimaryCtxRelease sudrvPrimaryContextRelease
#define SUPA_CtxSetCurrent sudrvContextSetCurrent
#define SUPA_MemGetInfo sudrvMemGetInfo
#define SUPA_MemAlloc sudrvMallocDevice
#define SUPA_MemFree sudrvFree
#define SUPA_MemcpyHtoDAsync sudrvMemcpyAsync
#define SUPA_MemcpyDtoHAsync sudrvMemcpyDtoHAsync
#define SUPA_MemcpyDtoDAsync sudrvMemcpyDtoDAsync
#define SUPA_ModuleLoadData sudrvModuleLoadFatBinary
#define SUPA_ModuleUnload sudrvModuleUnload
#define SUPA_ModuleGetFunction sudrvModuleGetFunction
#define SUPA_LaunchKernel sudrvModuleLaunchKernel
#define SUPA_StreamCreate sudrvStreamCreateWithFlags
#define SUPA_StreamDestroy sudrvStreamDestroy
#define SUPA_StreamSynchronize sudrvStreamSynchronize
#define SUPA_StreamQuery sudrvStreamQuery
#define SUPA_EventCreate sudrvEventCreateWithFlags
#define SUPA_EventDestroy sudrvEventDestroy
#define SUPA_EventRecord sudrvEventRecord
#define SUPA_EventElapsedTime sudrvEventElapsedTime
#define SUPA_StreamBeginCapture sudrvStreamBeginCapture
#define SUPA_StreamEndCapture sudrvStreamEndCapture
#define SUPA_GraphInstantiateWithFlags sudrvGraphInstantiate
#define SUPA_GraphLaunch sudrvLaunchGraphExec
#define SUPA_GraphDestroy sudrvGraphDestroy
#define SUPA_GraphExecDestroy sudrvGraphExecDestroy
#define SUPA_GetErrorName sudrvGetErrorName
#define SUPA_GetErrorString sudrvGetErrorString

/** There is one number for whatever stops a kernel, one for a launch that the chip cannot take, and one for most else. */
#define OWN_STATUSES                                                                                                           \
  ILLEGAL_ADDRESS = LAUNCH_FAILED, MISALIGNED_ADDRESS = LAUNCH_FAILED, LAUNCH_OUT_OF_RESOURCES = 9,                            \
  NOT_INITIALIZED = INVALID_VALUE, INVALID_IMAGE = INVALID_VALUE, INVALID_CONTEXT = INVALID_VALUE, NOT_FOUND = INVALID_VALUE
#define ERROR_NAMES                                             \
  {INVALID_VALUE, "suErrorInvalidValue"},                       \
      {OUT_OF_MEMORY, "suErrorMemoryAllocation"},               \
      {LAUNCH_OUT_OF_RESOURCES, "suErrorInvalidConfiguration"}, \
      {INVALID_DEVICE, "suErrorInvalidDevice"},                 \
      {INVALID_HANDLE, "suErrorInvalidResourceHandle"},         \
      {NOT_READY, "suErrorNotReady"},                           \
      {LAUNCH_FAILED, "suErrorLaunchFailure"}
#define ARCHITECTURE_PREFIX "br"
