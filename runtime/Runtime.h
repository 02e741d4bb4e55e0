//===- Runtime.h - Runs a model: the facade of the runtime ----------------===//
//
//   QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::open("m.quern", {.device = "cpu"}));
//   QUERN_ASSIGN_OR_RETURN(int32_t sequence, session->begin());
//   QUERN_ASSIGN_OR_RETURN(LogitsRows rows, session->run({{sequence, prompt}}));     // the last token's
//   logits
//   ...choose a token from rows.row(0), run it, and so on (Generate.h does)
//   QUERN_RETURN_IF_ERROR(session->end(sequence));
//
// A session holds one model on one device: prepared weights, a KV cache, and up to B sequences at a time.
// Prompts are cut into steps of at most `tokensPerStep` tokens; several sequences share a step. The same
// steps give the same bits, with any number of threads. With `batchInvariant` the same tokens do, however
// they are cut and whichever sequences are beside them; without it a step of many tokens may run other
// kernels than a step of few, whose sums have another order.
//
// A session is used by one thread at a time. After an error of a real device it must be opened again.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_RUNTIME_H
#define QUERN_RUNTIME_RUNTIME_H

#include "runtime/Devices.h"
#include "runtime/artifact/Artifact.h"
#include "runtime/kvcache/KvCache.h"
#include "runtime/plan/Executor.h"
#include "runtime/plan/Plan.h"
#include "runtime/prepare/Prepare.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quern::runtime {

struct SessionOptions {
  std::string device = {};          ///< as for `openDevice`; empty takes the best that is present
  DeviceOptions deviceOptions = {}; ///< threads, memory limit, emulation
  int32_t sequences = 1;            ///< at one time
  int64_t context = 0;       ///< positions of one sequence; 0 for what the model allows and memory holds
  int64_t tokensPerStep = 0; ///< 0 for what the plan says
  std::string weightsDirectory = {}; ///< of linked weights
  /// The same tokens give the same bits whatever is beside them: no kernel is chosen by the size of a step.
  bool batchInvariant = false;
  std::function<void(uint64_t)> loadProgress =
      {}; ///< told the weight bytes since the last call; from any thread
  /// For tests: unwritten memory holds NaN.
  bool poison = false;
};

struct SessionStatistics {
  double openSeconds = 0;    ///< to the session, weights among it
  double prepareSeconds = 0; ///< of that: reading, checking and preparing the weights
  PrepareStatistics weights; ///< their bytes
  uint64_t cacheBytes = 0;   ///< of the KV cache
  uint64_t deviceBytes = 0;  ///< in use on the device
  uint64_t peakDeviceBytes = 0;
  uint64_t steps = 0, tokens = 0, launches = 0;
  double stepSeconds = 0;  ///< in steps
  double draftSeconds = 0; ///< in the draft head
};

/// Which tokens of a feed give logits.
enum class RowChoice : uint8_t { None, Last, All };

/// Tokens that follow what a sequence holds already.
struct Feed {
  int32_t sequence;
  std::span<const uint32_t> tokens; ///< at least one
  RowChoice rows = RowChoice::Last;
};

/// Rows of logits in the order of feeds and tokens.
struct LogitsRows {
  int64_t columns = 0;
  std::vector<float> values;
  size_t rows() const { return columns ? values.size() / size_t(columns) : 0; }
  std::span<const float> row(size_t i) const {
    return std::span(values).subspan(i * size_t(columns), size_t(columns));
  }
};

class Session {
public:
  /// Opens artifact and device, chooses the code, and prepares the weights. Beside their errors: Exit::Usage
  /// "E-SESSION-LIMITS"; Exit::Resource "E-DEVICE-OUT-OF-MEMORY" before anything is loaded, where weights,
  /// cache and work memory together do not fit; Exit::Unsupported "E-TARGET-NOT-IN-ARTIFACT".
  static Expected<std::unique_ptr<Session>> open(const std::string &path, const SessionOptions &options);
  static Expected<std::unique_ptr<Session>> open(Artifact artifact, const SessionOptions &options);
  ~Session();

  const Artifact &artifact() const { return opened; }
  const Plan &plan() const { return thePlan; }
  const DeviceInfo &deviceInfo() const { return device->info(); }
  /// For `bench`: the device that the observer of `launches` may launch on again.
  Device &launchDevice() { return *device; }
  int64_t context() const { return positions; }
  int64_t tokensPerStep() const { return limits.tokens; }
  /// Rows of logits that one step gives at most; a feed that asks for more is cut into several.
  int64_t rowsPerStep() const { return limits.rows; }

  /// A new sequence of no tokens. Exit::Usage "E-SESSION-SEQUENCES" where all are in use.
  Expected<int32_t> begin();
  Status end(int32_t sequence);
  /// Tokens that |sequence| holds.
  int64_t length(int32_t sequence) const { return lengths[size_t(sequence)]; }
  /// Forgets the tokens from |length| on.
  Status truncate(int32_t sequence, int64_t length);

  /// Runs all feeds and hands out each row of logits when it is there: the number of its feed, the index of
  /// its token in the feed, and the logits (of which `Plan::validVocabulary` stand for tokens). Before
  /// anything runs: Exit::Usage "E-TOKEN-ID-RANGE", "E-PROMPT-TOO-LONG", "E-PROMPT-EMPTY". Exit::Resource
  /// "E-CACHE-FULL"; Exit::Interrupted after Ctrl-C, between two steps.
  using RowSink = std::function<Status(size_t feed, size_t token, std::span<const float> logits)>;
  Status run(std::span<const Feed> feeds, const RowSink &sink);
  /// The same with the rows in one piece.
  Expected<LogitsRows> run(std::span<const Feed> feeds);
  Expected<LogitsRows> run(std::initializer_list<Feed> feeds) {
    return run(std::span(feeds.begin(), feeds.size()));
  }

  /// True where the model has a draft head.
  bool hasDraft() const { return thePlan.findEntry("mtp") != nullptr; }
  /// Runs the draft head over the tokens |first| .. of the last step, which must have been one of |sequence|
  /// alone: |following| are the tokens behind each of them. Hands out the logits of what may follow the last
  /// of |following| (RowChoice::Last) or each of them, the second argument counting from 0. Each token of a
  /// sequence must go through it, in order, for its drafts to be good; other tokens' results never depend on
  /// it. Exit::Unexpected "E-SESSION-DRAFT".
  Status draft(int32_t sequence, int64_t first, std::span<const uint32_t> following, RowChoice rows,
               const RowSink &sink);

  SessionStatistics statistics() const;

  /// For `verify` and traces: watches launches and reads device memory (Executor.h).
  Executor &launches() { return *executor; }

private:
  struct Chunk;
  explicit Session(Artifact artifact) : opened(std::move(artifact)) {}
  Status load(const SessionOptions &options);
  Status choosePlan();
  Status chooseLimits(const SessionOptions &options);
  Status checkFeeds(std::span<const Feed> feeds) const;
  Status runChunk(const Chunk &chunk, const RowSink &sink);

  Artifact opened;
  std::unique_ptr<Device> device;
  Plan thePlan;
  ExecutorLimits limits;
  int64_t positions = 0;
  std::optional<PreparedWeights> weights;
  std::optional<KvCache> cache;
  std::unique_ptr<Executor> executor;
  std::vector<int64_t> lengths; ///< by sequence; -1 for a free one
  std::vector<float> rowMemory;
  /// The tokens of the last step, where they were of one sequence and their hidden rows are still there.
  struct LastStep {
    int32_t sequence = -1;
    int64_t firstPosition = 0, tokens = 0;
  } lastStep;
  SessionStatistics counts;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_RUNTIME_H
