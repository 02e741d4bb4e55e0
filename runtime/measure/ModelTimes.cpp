//===- ModelTimes.cpp -----------------------------------------------------===//
#include "runtime/measure/ModelTimes.h"
#include "runtime/measure/StepTimes.h"

#include <chrono>

namespace quern::runtime {

std::string ModelTest::name() const {
  std::string text;
  if (prompt)
    text = "pp" + std::to_string(prompt);
  if (generated)
    text += (prompt ? "+tg" : "tg") + std::to_string(generated);
  return depth ? text + " @ d" + std::to_string(depth) : text;
}

static Status timed(Session &session, int32_t sequence, const ModelTest &test, double &seconds) {
  const std::vector<uint32_t> ids = benchTokens(test.positions(), session.plan().validVocabulary);
  const auto rest = std::span(ids);
  const Session::RowSink ignore = [](size_t, size_t, std::span<const float>) { return Status::success(); };
  auto run = [&](size_t first, size_t count, RowChoice rows) {
    Feed feed{sequence, rest.subspan(first, count), rows};
    return session.run(std::span(&feed, 1), ignore);
  };
  if (test.depth)
    QUERN_RETURN_IF_ERROR(run(0, size_t(test.depth), RowChoice::None));
  const auto begin = std::chrono::steady_clock::now();
  size_t at = size_t(test.depth);
  if (test.prompt)
    QUERN_RETURN_IF_ERROR(run(at, size_t(test.prompt), RowChoice::Last));
  at += size_t(test.prompt);
  for (int64_t i = 0; i < test.generated; ++i)
    QUERN_RETURN_IF_ERROR(run(at++, 1, RowChoice::Last));
  seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return Status::success();
}

Expected<double> timeModel(Session &session, const ModelTest &test) {
  // Asks for a clock that means something; an emulated device has none.
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Timer> clock, session.launchDevice().timer());
  QUERN_ASSIGN_OR_RETURN(int32_t sequence, session.begin());
  double seconds = 0;
  Status status = timed(session, sequence, test, seconds);
  Status ended = session.end(sequence);
  QUERN_RETURN_IF_ERROR(std::move(status));
  QUERN_RETURN_IF_ERROR(std::move(ended));
  if (!(seconds > 0))
    return Status::error(Exit::Unexpected, "E-MEASURE-NO-TIME",
                         "the clock of the host did not move during a run");
  return seconds;
}

} // namespace quern::runtime
