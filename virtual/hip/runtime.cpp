// HIP's runtime over host memory, as far as anychip calls it: names and numbers from the HIP API reference. A device is current on a thread
// by its number, and there are no contexts. Vendors that took it over give its functions another prefix: NAME(…) in their names.h.
#include "../core/gpu/functions.cpp"

namespace {

/** A fault stays until the device is reset. */
int enter() { return gpu().status(); }

}  // namespace

DRIVER NAME(Init)(unsigned flags) { return flags == 0 ? SUCCESS : INVALID_VALUE; }
DRIVER NAME(GetDeviceCount)(int *count) { return *count = 1, SUCCESS; }
DRIVER NAME(SetDevice)(int ordinal) { return ordinal == 0 ? SUCCESS : INVALID_DEVICE; }
DRIVER NAME(DeviceReset)() { return gpu().reset(), SUCCESS; }

DRIVER NAME(Malloc)(void **out, std::size_t bytes) {
  ENTER
  return gpu().allocate(out, bytes);
}
DRIVER NAME(Free)(void *address) {
  ENTER
  return gpu().free(address);
}

DRIVER NAME(ModuleLaunchKernel)(Function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, Stream *stream, void **params, void **extra) {
  ENTER
  return gpu().launch(function, {gx, gy, gz}, {bx, by, bz}, shared, stream, params, extra);
}

DRIVER NAME(StreamCreate)(Stream **out) {
  ENTER
  return gpu().createStream(out);
}
DRIVER NAME(StreamCreateWithFlags)(Stream **out, unsigned flags) {
  ENTER
  return flags > 1 ? INVALID_VALUE : gpu().createStream(out);
}

DRIVER NAME(EventCreate)(Event **out) {
  ENTER
  return gpu().createEvent(out);
}
DRIVER NAME(EventCreateWithFlags)(Event **out, unsigned) {
  ENTER
  return gpu().createEvent(out);
}

extern "C" __attribute__((visibility("default"))) const char *NAME(GetErrorName)(int status) {
  const struct {
    int status;
    const char *name;
  } names[] = {
      {INVALID_VALUE, ERROR_PREFIX "InvalidValue"},
      {OUT_OF_MEMORY, ERROR_PREFIX "OutOfMemory"},
      {INVALID_DEVICE, ERROR_PREFIX "InvalidDevice"},
      {INVALID_IMAGE, ERROR_PREFIX "InvalidImage"},
      {INVALID_HANDLE, ERROR_PREFIX "InvalidHandle"},
      {NOT_FOUND, ERROR_PREFIX "NotFound"},
      {NOT_READY, ERROR_PREFIX "NotReady"},
      {ILLEGAL_ADDRESS, ERROR_PREFIX "IllegalAddress"},
      {LAUNCH_OUT_OF_RESOURCES, ERROR_PREFIX "LaunchOutOfResources"},
      {LAUNCH_FAILED, ERROR_PREFIX "LaunchFailure"},
      {STREAM_CAPTURE_UNSUPPORTED, ERROR_PREFIX "StreamCaptureUnsupported"},
  };
  for (auto &row : names)
    if (row.status == status) return row.name;
  return ERROR_PREFIX "Unknown";
}
/** The last message stands in for the library's own text: it says which rule was broken. */
extern "C" __attribute__((visibility("default"))) const char *NAME(GetErrorString)(int status) { return status == SUCCESS || status == NOT_READY ? "" : lastMessage(); }
