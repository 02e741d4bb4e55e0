//===- SignatureCheck.h - Compares two function types by how they are called ----===//
//
// The runtime declares the drivers' entry points itself. Where a vendor's header is on the machine, each
// declaration is compared with it: the same number of parameters, each of the same size, none in a floating
// point register.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TESTS_CONFORMANCE_SIGNATURECHECK_H
#define QUERN_TESTS_CONFORMANCE_SIGNATURECHECK_H

#include <cstddef>
#include <type_traits>

namespace quern::conformance {

/// Integers, enumerations, pointers and structures of one of them travel in integer registers, in order.
template <typename A, typename B>
constexpr bool isPassedAlike =
    sizeof(A) == sizeof(B) && sizeof(A) <= 8 && !std::is_floating_point_v<A> &&
    !std::is_floating_point_v<B> && std::is_trivially_copyable_v<A> && std::is_trivially_copyable_v<B>;

template <typename A, typename B> struct IsCalledAlike : std::false_type {};
template <typename R, typename S>
struct IsCalledAlike<R (*)(), S (*)()> : std::bool_constant<isPassedAlike<R, S>> {};
template <typename R, typename... P, typename S, typename... Q>
  requires(sizeof...(P) == sizeof...(Q) && sizeof...(P) != 0)
struct IsCalledAlike<R (*)(P...), S (*)(Q...)>
    : std::bool_constant<isPassedAlike<R, S> && (isPassedAlike<P, Q> && ...)> {};

} // namespace quern::conformance

#endif // QUERN_TESTS_CONFORMANCE_SIGNATURECHECK_H
