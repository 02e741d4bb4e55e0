//===- ChildProcess.h - Work in a process that may die or hang ------------===//
//
// Code that other people's input decides (generated kernels, the code generator itself) runs in re-executed
// copies of the program. Parent and child exchange whole messages: a message is its length in decimal, a
// newline, and that many bytes.
//
//   ChildProcess child;
//   QUERN_RETURN_IF_ERROR(child.start("/proc/self/exe", "--compile-worker"));
//   switch (child.exchange(request, reply, std::chrono::seconds(120))) {
//   case Received::Message: ...
//   case Received::End:     // it died: child.stop() says how
//   case Received::Late:    // it hangs: child.stop(true) ends it
//   }
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_CHILDPROCESS_H
#define QUERN_SUPPORT_CHILDPROCESS_H

#include "support/Status.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace quern {

enum class Received : uint8_t { Message, End, Late };

/// False where the other side is gone.
bool sendMessage(int fd, std::string_view message);
/// |deadline| bounds the whole message; without one it may take for ever. What is no message is End.
Received receiveMessage(int fd, std::string &message,
                        std::optional<std::chrono::steady_clock::time_point> deadline);

/// A text of any bytes as one field of a message, and back: `takeField` takes one from the front of |rest|,
/// nothing where there is none.
std::string messageField(std::string_view text);
std::optional<std::string> takeField(std::string_view &rest);

class ChildProcess {
public:
  ChildProcess() = default;
  ~ChildProcess() { stop(/*kill=*/true); }
  ChildProcess(const ChildProcess &) = delete;
  ChildProcess &operator=(const ChildProcess &) = delete;

  bool running() const { return process >= 0; }
  /// Executes |program| with |argument|; its standard input and output are the two ends of the exchange. From
  /// then on a child that dies while it is written to does not end this process. Exit::Resource
  /// "E-WORKER-START".
  Status start(const std::string &program, const std::string &argument);
  /// Sends |message| and waits for the reply, no longer than |deadline|.
  Received exchange(std::string_view message, std::string &reply, std::chrono::milliseconds deadline);
  /// Ends the process; returns how it ended, in words: "signal 11 (Segmentation fault)".
  std::string stop(bool kill = false);

private:
  pid_t process = -1;
  int in = -1, out = -1;
};

/// The child's side: answers every message on standard input by what |answer| returns, until the input ends.
/// What is printed to standard output goes to standard error, and Ctrl-C is left to the parent. Returns the
/// exit code of the process.
template <typename Answer> int serveMessages(Answer answer);

/// What `serveMessages` is made of: a descriptor for the answers, after the above was arranged.
int beginServing();

template <typename Answer> int serveMessages(Answer answer) {
  const int out = beginServing();
  std::string message;
  while (receiveMessage(0, message, std::nullopt) == Received::Message)
    if (!sendMessage(out, answer(message)))
      return 1;
  return 0;
}

} // namespace quern

#endif // QUERN_SUPPORT_CHILDPROCESS_H
