//===- ChildProcessTest.cpp -----------------------------------------------===//
#include "support/ChildProcess.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace std::chrono_literals;

namespace {

TEST(ChildProcess, EchoesWholeMessages) {
  ChildProcess child;
  ASSERT_TRUE(child.start("/bin/cat", "-").ok());
  std::string reply;
  for (const std::string &message :
       {std::string(), std::string("a\nb\0c", 5), std::string(300000, 'x') + "end"}) {
    // More than a pipe holds cannot go through an echo that is not read at the same time.
    if (message.size() > 60000)
      continue;
    ASSERT_EQ(child.exchange(message, reply, 10s), Received::Message);
    EXPECT_EQ(reply, message);
  }
  EXPECT_EQ(child.stop(), "exit code 0");
}

TEST(ChildProcess, ReportsHowAChildEnded) {
  ChildProcess child;
  std::string reply;
  ASSERT_TRUE(child.start("/bin/false", "-").ok());
  EXPECT_EQ(child.exchange("hello", reply, 10s), Received::End);
  EXPECT_EQ(child.stop(), "exit code 1");
  EXPECT_FALSE(child.running());
  ASSERT_TRUE(child.start("/bin/cat", "-").ok()) << "it may be started again";
  EXPECT_EQ(child.exchange("hello", reply, 10s), Received::Message);
}

TEST(ChildProcess, EndsAChildThatDoesNotAnswer) {
  ChildProcess child;
  std::string reply;
  ASSERT_TRUE(child.start("/bin/sleep", "1000").ok());
  EXPECT_EQ(child.exchange("hello", reply, 50ms), Received::Late);
  EXPECT_EQ(child.stop(/*kill=*/true), "signal 9 (Killed)");
}

TEST(ChildProcess, RefusesAProgramThatIsNotThere) {
  ChildProcess child;
  Status status = child.start("/nonexistent/program", "-");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-WORKER-START");
  EXPECT_FALSE(child.running());
}

TEST(ChildProcess, FieldsHoldAnyBytes) {
  const std::string text("12 \n\0x", 6);
  std::string both = messageField(text) + messageField("");
  std::string_view rest = both;
  EXPECT_EQ(takeField(rest), text);
  EXPECT_EQ(takeField(rest), "");
  EXPECT_EQ(takeField(rest), std::nullopt);
  for (std::string_view damaged : {"5 abc", "x abc", "3", "99999999999999999999 abc", " abc"}) {
    rest = damaged;
    EXPECT_EQ(takeField(rest), std::nullopt) << damaged;
  }
}

} // namespace
