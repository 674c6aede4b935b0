// How a unit of kernels gives them to the loader: for each function its name, the bytes of its parameters and a call through pointers to
// their values. Included by the header of every kernel language; it includes next to nothing, because it is read for every program.
#pragma once

#include "machine.h"

namespace anychip {

template <class T>
struct Bare {
  using type = T;
};
template <class T>
struct Bare<const T> {
  using type = T;
};

template <class F>
struct Signature;
template <class... A>
struct Signature<void (*)(A...)> {
  static constexpr int params = sizeof...(A);
  static constexpr unsigned short bytes[sizeof...(A) + 1] = {sizeof(A)..., 0};
};

template <int... I>
struct Sequence {};
template <int N, int... I>
struct MakeSequence : MakeSequence<N - 1, N - 1, I...> {};
template <int... I>
struct MakeSequence<0, I...> {
  using type = Sequence<I...>;
};

/** The pointers lie in host memory, so these reads are no business of the checks. */
template <class... A, int... I>
__attribute__((no_sanitize_thread)) inline void callWith(void (*kernel)(A...), void *const *params, Sequence<I...>) {
  kernel(*static_cast<typename Bare<A>::type *>(params[I])...);
}
template <class... A>
__attribute__((no_sanitize_thread)) inline void call(void (*kernel)(A...), void *const *params) {
  callWith(kernel, params, typename MakeSequence<sizeof...(A)>::type{});
}

}  // namespace anychip

/** What lies between two shared variables: accesses that miss one by less are found out. */
#define ANYCHIP_GUARD_BYTES 4096

#define ANYCHIP_ENTRY(name) &anychip_entry_##name
#define ANYCHIP_KERNEL(name, threads)                                                                                             \
  __attribute__((no_sanitize_thread)) static void anychip_call_##name(void *const *params) { anychip::call(&name, params); } \
  static const anychip::KernelEntry anychip_entry_##name = {#name, anychip_call_##name, anychip::Signature<decltype(&name)>::bytes, \
                                                            anychip::Signature<decltype(&name)>::params, threads};
/** The guard ends what the shared variables, which all come before, are kept apart by. */
#define ANYCHIP_KERNELS(...)                                                          \
  static __attribute__((used, aligned(16))) char anychip_guard_last[ANYCHIP_GUARD_BYTES]; \
  extern "C" __attribute__((visibility("default"))) const anychip::KernelEntry *const *anychip_kernels() { \
    static const anychip::KernelEntry *const anychip_list[] = {__VA_ARGS__};          \
    return anychip_list;                                                              \
  }
