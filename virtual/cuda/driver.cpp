// The driver interface of CUDA over host memory, as far as anychip calls it: names and numbers from the CUDA driver API reference.
// Vendors that took the interface over give its functions names of their own: NAME(…) in their names.h.
#include "../core/gpu/functions.cpp"

#ifndef ERROR_NAMES
#define ERROR_NAMES \
  {INVALID_VALUE, ERROR_PREFIX "INVALID_VALUE"}, \
  {OUT_OF_MEMORY, ERROR_PREFIX "OUT_OF_MEMORY"}, \
  {NOT_INITIALIZED, ERROR_PREFIX "NOT_INITIALIZED"}, \
  {INVALID_DEVICE, ERROR_PREFIX "INVALID_DEVICE"}, \
  {INVALID_IMAGE, ERROR_PREFIX "INVALID_IMAGE"}, \
  {INVALID_CONTEXT, ERROR_PREFIX "INVALID_CONTEXT"}, \
  {INVALID_HANDLE, ERROR_PREFIX "INVALID_HANDLE"}, \
  {NOT_FOUND, ERROR_PREFIX "NOT_FOUND"}, \
  {NOT_READY, ERROR_PREFIX "NOT_READY"}, \
  {ILLEGAL_ADDRESS, ERROR_PREFIX "ILLEGAL_ADDRESS"}, \
  {LAUNCH_OUT_OF_RESOURCES, ERROR_PREFIX "LAUNCH_OUT_OF_RESOURCES"}, \
  {MISALIGNED_ADDRESS, ERROR_PREFIX "MISALIGNED_ADDRESS"}, \
  {LAUNCH_FAILED, ERROR_PREFIX "LAUNCH_FAILED"}, \
  {STREAM_CAPTURE_UNSUPPORTED, ERROR_PREFIX "STREAM_CAPTURE_UNSUPPORTED"}
#endif

namespace {

bool isInitialized;
int retained;
int contextObject;
thread_local void *current;

/** A fault stays until the context is gone. */
int enter() {
  if (!isInitialized) return say(Rule::order, "a call before the driver was started"), NOT_INITIALIZED;
  if (current != &contextObject || retained == 0) return say(Rule::order, "a call from a thread that has no context of the device"), INVALID_CONTEXT;
  return gpu().status();
}

}  // namespace

DRIVER NAME(Init)(unsigned flags) {
  if (flags != 0) return INVALID_VALUE;
  return isInitialized = true, SUCCESS;
}
DRIVER NAME(DeviceGetCount)(int *count) { return *count = 1, SUCCESS; }

DRIVER NAME(DevicePrimaryCtxRetain)(void **context, int) { return retained++, *context = &contextObject, SUCCESS; }
DRIVER NAME2(DevicePrimaryCtxRelease)(int) {
  if (retained == 0) return INVALID_CONTEXT;
  // The last one takes all that is left along, a fault too.
  if (--retained == 0) gpu().reset();
  return SUCCESS;
}
DRIVER NAME(CtxSetCurrent)(void *context) { return current = context, SUCCESS; }

DRIVER NAME2(MemAlloc)(void **out, std::size_t bytes) {
  ENTER
  return gpu().allocate(out, bytes);
}
DRIVER NAME2(MemFree)(void *address) {
  ENTER
  return gpu().free(address);
}

#ifdef FUNCTION_ATTRIBUTE
DRIVER NAME(FuncSetAttribute)(Function *function, int attribute, int value) {
  ENTER
  if (attribute != FUNCTION_ATTRIBUTE) return say(Rule::limit, "attribute %d of a kernel is not known", attribute), INVALID_VALUE;
  return gpu().allowShared(function, value);
}
#endif
DRIVER NAME(LaunchKernel)(Function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, Stream *stream, void **params, void **extra) {
  ENTER
  return gpu().launch(function, {gx, gy, gz}, {bx, by, bz}, shared, stream, params, extra);
}

DRIVER NAME(StreamCreate)(Stream **out, unsigned flags) {
  ENTER
  return flags > 1 ? INVALID_VALUE : gpu().createStream(out);
}

DRIVER NAME(EventCreate)(Event **out, unsigned) {
  ENTER
  return gpu().createEvent(out);
}

DRIVER NAME(GetErrorName)(int status, const char **text) {
  const struct {
    int status;
    const char *name;
  } names[] = {ERROR_NAMES};
  for (auto &row : names)
    if (row.status == status) return *text = row.name, SUCCESS;
  return *text = nullptr, INVALID_VALUE;
}
/** The last message stands in for the driver's own text: it says which rule was broken. */
DRIVER NAME(GetErrorString)(int status, const char **text) { return *text = status == SUCCESS || status == NOT_READY ? "" : lastMessage(), SUCCESS; }
