//===- Status.h - Results that carry an error in place of an exception ----===//
//
// Every fallible function of Quern returns a `Status` or an `Expected<T>`. An error says four things: the exit
// class (which becomes the program's exit code), a stable id ("E-ARTIFACT-TRUNCATED"), one sentence that states
// what was observed, and a cause and a remedy where they are known. No exception crosses a room's interface.
//
//   Status write(...) {
//     if (!file)
//       return Status::error(Exit::Resource, "E-OUTPUT-NOT-WRITABLE", "cannot write `" + path + "`")
//           .cause(strerror(errno))
//           .remedy("choose another directory with -o");
//     return Status::success();
//   }
//
//   QUERN_ASSIGN_OR_RETURN(Json config, readJson(path));
//   QUERN_RETURN_IF_ERROR(check(config));
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_STATUS_H
#define QUERN_SUPPORT_STATUS_H

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace quern {

/// Exit codes of every program of Quern; the class of an error is the code that the program ends with.
enum class Exit : int {
  Success = 0,
  Unexpected = 1,         ///< a fault of ours
  Usage = 2,              ///< flags, token ids, prompt length
  BadInput = 3,           ///< checkpoint, artifact or database is damaged or contradicts itself
  Unsupported = 4,        ///< model, target or type that Quern does not know; artifact without the device's target
  NoDevice = 5,           ///< no such device, no driver, driver too old
  CompileFailed = 6,      ///< code generation failed
  NumericCheckFailed = 7, ///< `verify` found a difference
  GateFailed = 8,         ///< a performance gate failed
  Partial = 9,            ///< finished early, results so far are saved
  Resource = 10,          ///< out of memory, disk full, not writable
  Timeout = 124,
  Interrupted = 130,
};

/// Success, or an error with its exit class, id, sentence, cause and remedy. Cheap to move; success holds no memory.
class [[nodiscard]] Status {
public:
  static Status success() { return Status(); }
  /// |id| begins with "E-" and is listed in docs/Diagnostics.md. |sentence| is lower case without a final period.
  static Status error(Exit exit, std::string id, std::string sentence);

  bool ok() const { return !detail; }
  explicit operator bool() const = delete;

  Exit exit() const { return detail ? detail->exit : Exit::Success; }
  const std::string &id() const { return get().id; }
  const std::string &sentence() const { return get().sentence; }
  const std::string &causeText() const { return get().cause; }
  const std::string &remedyText() const { return get().remedy; }

  /// Why it is so, as far as is known (a driver's text, the byte offset, the two values that differ).
  Status &&cause(std::string text) &&;
  /// What the user can do about it.
  Status &&remedy(std::string text) &&;

  /// "error: SENTENCE (CAUSE); REMEDY [ID]", one line without a newline at the end.
  std::string message() const;

private:
  struct Detail {
    Exit exit;
    std::string id, sentence, cause, remedy;
  };
  const Detail &get() const {
    assert(detail && "asked a success for its error");
    return *detail;
  }
  std::unique_ptr<Detail> detail;
};

/// A value or the error that stands in its place.
template <typename T>
class [[nodiscard]] Expected {
public:
  Expected(T value) : value(std::move(value)) {}
  Expected(Status status) : status(std::move(status)) { assert(!this->status.ok() && "success needs a value"); }
  template <typename U>
    requires std::is_convertible_v<U &&, T>
  Expected(U &&u) : value(std::forward<U>(u)) {}

  bool ok() const { return value.has_value(); }
  T &operator*() & { return *value; }
  const T &operator*() const & { return *value; }
  T &&operator*() && { return *std::move(value); }
  T *operator->() { return &*value; }
  const T *operator->() const { return &*value; }

  /// The error; call only when !ok(). Leaves this object without one.
  Status takeError() { return std::move(status); }
  const Status &error() const { return status; }

private:
  std::optional<T> value;
  Status status;
};

#define QUERN_CONCAT_INNER(a, b) a##b
#define QUERN_CONCAT(a, b) QUERN_CONCAT_INNER(a, b)
#define QUERN_RETURN_IF_ERROR(expr)                                                                          \
  do {                                                                                                       \
    if (::quern::Status quernStatus = (expr); !quernStatus.ok())                                             \
      return quernStatus;                                                                                    \
  } while (false)
#define QUERN_ASSIGN_OR_RETURN_IMPL(tmp, decl, expr)                                                         \
  auto tmp = (expr);                                                                                         \
  if (!tmp.ok())                                                                                             \
    return tmp.takeError();                                                                                  \
  decl = *std::move(tmp)
#define QUERN_ASSIGN_OR_RETURN(decl, expr)                                                                   \
  QUERN_ASSIGN_OR_RETURN_IMPL(QUERN_CONCAT(quernExpected, __LINE__), decl, expr)

} // namespace quern

#endif // QUERN_SUPPORT_STATUS_H
