//===- Runtime.cpp --------------------------------------------------------===//
#include "runtime/Runtime.h"

#include "support/Interrupt.h"

#include <algorithm>
#include <chrono>

namespace quern::runtime {

namespace {

/// Positions of one sequence where none are asked for; more is asked for by name.
constexpr int64_t defaultContext = 32768;
constexpr int64_t smallestContext = 256;
/// Memory for logits; more rows are taken in several steps.
constexpr int64_t logitsBytes = int64_t(64) << 20;
constexpr int32_t maxSequences = 4096;

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Status badLimit(const std::string &sentence, std::string remedy) {
  return Status::error(Exit::Usage, "E-SESSION-LIMITS", sentence).remedy(std::move(remedy));
}

} // namespace

/// Tokens of one step.
struct Session::Chunk {
  struct Part {
    size_t feed, first, count; ///< tokens of the feed
  };
  std::span<const Feed> feeds;
  std::vector<Part> parts;
  std::vector<int32_t> tokens, positions, sequences, rows;
  std::vector<std::pair<size_t, size_t>> rowOwners; ///< feed and token of each row
};

Expected<std::unique_ptr<Session>> Session::open(const std::string &path, const SessionOptions &options) {
  QUERN_ASSIGN_OR_RETURN(Artifact artifact, Artifact::open(path));
  return open(std::move(artifact), options);
}

Expected<std::unique_ptr<Session>> Session::open(Artifact artifact, const SessionOptions &options) {
  std::unique_ptr<Session> session(new Session(std::move(artifact)));
  QUERN_RETURN_IF_ERROR(session->load(options));
  return session;
}

Session::~Session() = default;

Status Session::load(const SessionOptions &options) {
  auto start = std::chrono::steady_clock::now();
  if (!options.weightsDirectory.empty())
    opened.setWeightsDirectory(options.weightsDirectory);
  QUERN_ASSIGN_OR_RETURN(device, openDevice(options.device, options.deviceOptions));
  QUERN_RETURN_IF_ERROR(choosePlan());
  QUERN_RETURN_IF_ERROR(chooseLimits(options));

  auto prepareStart = std::chrono::steady_clock::now();
  {
    ThreadPool pool(options.deviceOptions.threads);
    PrepareOptions prepare;
    prepare.pool = &pool;
    prepare.inPlace = true; // the session holds the artifact longer than the weights
    prepare.progress = options.loadProgress;
    QUERN_ASSIGN_OR_RETURN(PreparedWeights prepared,
                           PreparedWeights::prepare(thePlan, opened, *device, prepare));
    weights.emplace(std::move(prepared));
  }
  counts.prepareSeconds = secondsSince(prepareStart);
  counts.weights = weights->statistics();

  KvCacheLimits cacheLimits;
  cacheLimits.sequences = int32_t(limits.sequences);
  cacheLimits.positions = positions;
  cacheLimits.poison = options.poison;
  QUERN_ASSIGN_OR_RETURN(KvCache made, KvCache::create(*device, thePlan.cache, cacheLimits));
  cache.emplace(std::move(made));
  counts.cacheBytes = cache->bytes();
  QUERN_ASSIGN_OR_RETURN(executor, Executor::create(thePlan, opened, *device, *weights, *cache, limits));
  lengths.assign(size_t(limits.sequences), -1);
  counts.openSeconds = secondsSince(start);
  return Status::success();
}

Status Session::choosePlan() {
  std::vector<std::string> targets;
  for (const ManifestTarget &target : opened.manifest().targets)
    targets.push_back(target.target);
  QUERN_ASSIGN_OR_RETURN(size_t chosen, chooseCode(device->info(), targets));
  std::string member = "plan/" + opened.manifest().targets[chosen].folder + ".json";
  QUERN_ASSIGN_OR_RETURN(std::string_view text, opened.readText(member));
  QUERN_ASSIGN_OR_RETURN(thePlan, readPlan(text));
  return Status::success();
}

Status Session::chooseLimits(const SessionOptions &options) {
  if (options.sequences < 1 || options.sequences > maxSequences)
    return badLimit(std::to_string(options.sequences) + " sequences at one time are not possible",
                    "choose 1 to " + std::to_string(maxSequences));
  int64_t modelLimit = thePlan.contextLimit;
  if (auto declared = opened.manifest().limits.find("max_context");
      declared != opened.manifest().limits.end())
    modelLimit = std::min(modelLimit, int64_t(std::min<uint64_t>(declared->second, uint64_t(modelLimit))));
  if (options.context < 0 || options.context > modelLimit)
    return badLimit("a context of " + std::to_string(options.context) + " positions is not possible",
                    "choose 1 to " + std::to_string(modelLimit) + " with --max-context");
  if (options.tokensPerStep < 0 || options.tokensPerStep > thePlan.maxTokens)
    return badLimit("steps of " + std::to_string(options.tokensPerStep) + " tokens are not possible",
                    "choose 1 to " + std::to_string(thePlan.maxTokens));
  positions = options.context ? options.context : std::min(modelLimit, defaultContext);

  uint64_t memory =
      options.deviceOptions.memoryLimit ? options.deviceOptions.memoryLimit : device->info().memoryBytes;
  for (;;) {
    limits.sequences = options.sequences;
    limits.context = positions;
    limits.poison = options.poison;
    limits.batchInvariant = options.batchInvariant;
    limits.tokens = options.tokensPerStep ? options.tokensPerStep : thePlan.maxTokens;
    // A session whose sequences together are shorter needs no longer steps.
    limits.tokens = std::min(limits.tokens, positions * limits.sequences);
    limits.rows = std::clamp<int64_t>(logitsBytes / (thePlan.vocabulary * 4), 1, limits.tokens);
    int64_t perSequence = pagesFor(positions), pages = perSequence * limits.sequences;
    uint64_t weightBytes = PreparedWeights::bytesNeeded(thePlan);
    uint64_t cacheBytes = uint64_t(pages) * pageTokens * thePlan.cache.bytesPerToken();
    uint64_t workBytes = Executor::bytesNeeded(thePlan, limits, pages, perSequence);
    if (memory == 0 || weightBytes + cacheBytes + workBytes <= memory)
      return Status::success();
    if (options.context == 0 && positions > smallestContext && weightBytes < memory) {
      positions = std::max(smallestContext, positions / 2);
      continue;
    }
    return Status::error(Exit::Resource, "E-DEVICE-OUT-OF-MEMORY",
                         "the model does not fit into the memory of `" + device->info().name + "`")
        .cause("weights need " + std::to_string(weightBytes) + " bytes, the KV cache " +
               std::to_string(cacheBytes) + ", work memory " + std::to_string(workBytes) + ", of " +
               std::to_string(memory))
        .remedy("choose a smaller context or batch, or another device");
  }
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

Expected<int32_t> Session::begin() {
  std::optional<int32_t> slot = cache->openSlot();
  if (!slot)
    return Status::error(Exit::Usage, "E-SESSION-SEQUENCES",
                         "all " + std::to_string(limits.sequences) + " sequences of the session are in use")
        .remedy("end one, or open the session with more");
  lengths[size_t(*slot)] = 0;
  return *slot;
}

Status Session::end(int32_t sequence) {
  lengths[size_t(sequence)] = -1;
  return cache->closeSlot(sequence);
}

Status Session::truncate(int32_t sequence, int64_t length) {
  int64_t &own = lengths[size_t(sequence)];
  own = std::min(own, length);
  return cache->truncate(sequence, own);
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

Status Session::checkFeeds(std::span<const Feed> feeds) const {
  std::vector<int64_t> after = lengths;
  for (const Feed &feed : feeds) {
    if (feed.sequence < 0 || size_t(feed.sequence) >= lengths.size() || lengths[size_t(feed.sequence)] < 0)
      return Status::error(Exit::Unexpected, "E-SESSION-SEQUENCES",
                           "the session has no sequence " + std::to_string(feed.sequence));
    if (feed.tokens.empty())
      return Status::error(Exit::Usage, "E-PROMPT-EMPTY", "the prompt has no tokens")
          .remedy("give a text or token ids");
    for (uint32_t token : feed.tokens)
      if (token >= uint64_t(thePlan.validVocabulary))
        return Status::error(Exit::Usage, "E-TOKEN-ID-RANGE", "there is no token " + std::to_string(token))
            .remedy("give ids below " + std::to_string(thePlan.validVocabulary));
    int64_t &length = after[size_t(feed.sequence)];
    length += int64_t(feed.tokens.size());
    if (length > positions)
      return Status::error(Exit::Usage, "E-PROMPT-TOO-LONG",
                           "the sequence has " + std::to_string(length) + " tokens, the context " +
                               std::to_string(positions))
          .remedy(positions < thePlan.contextLimit
                      ? "choose a larger context with --max-context; the model allows " +
                            std::to_string(thePlan.contextLimit)
                      : "shorten the prompt; the model allows no more");
  }
  return Status::success();
}

Status Session::run(std::span<const Feed> feeds, const RowSink &sink) {
  QUERN_RETURN_IF_ERROR(checkFeeds(feeds));
  Chunk chunk;
  chunk.feeds = feeds;
  std::vector<int64_t> next = lengths;
  auto flush = [&]() -> Status {
    if (chunk.tokens.empty())
      return Status::success();
    QUERN_RETURN_IF_ERROR(runChunk(chunk, sink));
    chunk = Chunk{feeds, {}, {}, {}, {}, {}, {}};
    return Status::success();
  };
  for (size_t f = 0; f < feeds.size(); ++f) {
    const Feed &feed = feeds[f];
    for (size_t i = 0; i < feed.tokens.size(); ++i) {
      bool wanted =
          feed.rows == RowChoice::All || (feed.rows == RowChoice::Last && i + 1 == feed.tokens.size());
      if (int64_t(chunk.tokens.size()) == limits.tokens ||
          (wanted && int64_t(chunk.rows.size()) == limits.rows))
        QUERN_RETURN_IF_ERROR(flush());
      if (wanted) {
        chunk.rows.push_back(int32_t(chunk.tokens.size()));
        chunk.rowOwners.emplace_back(f, i);
      }
      if (chunk.parts.empty() || chunk.parts.back().feed != f)
        chunk.parts.push_back({f, i, 0});
      ++chunk.parts.back().count;
      chunk.tokens.push_back(int32_t(feed.tokens[i]));
      chunk.positions.push_back(int32_t(next[size_t(feed.sequence)]++));
      chunk.sequences.push_back(feed.sequence);
    }
  }
  return flush();
}

Status Session::runChunk(const Chunk &chunk, const RowSink &sink) {
  QUERN_RETURN_IF_ERROR(checkInterrupt());
  auto start = std::chrono::steady_clock::now();
  for (const Chunk::Part &part : chunk.parts) {
    int32_t sequence = chunk.feeds[part.feed].sequence;
    int64_t length = lengths[size_t(sequence)] + int64_t(part.count);
    QUERN_RETURN_IF_ERROR(cache->reserve(sequence, length));
    lengths[size_t(sequence)] = length;
  }
  StepInputs inputs{chunk.tokens, chunk.positions, chunk.sequences, chunk.rows};
  rowMemory.resize(chunk.rows.size() * size_t(thePlan.vocabulary));
  QUERN_RETURN_IF_ERROR(executor->run("step", inputs, rowMemory));
  lastStep = {};
  if (chunk.parts.size() == 1)
    lastStep = {chunk.sequences[0], chunk.positions[0], int64_t(chunk.tokens.size())};
  ++counts.steps;
  counts.tokens += chunk.tokens.size();
  counts.stepSeconds += secondsSince(start);
  for (size_t r = 0; r < chunk.rows.size(); ++r)
    QUERN_RETURN_IF_ERROR(
        sink(chunk.rowOwners[r].first, chunk.rowOwners[r].second,
             std::span(rowMemory).subspan(r * size_t(thePlan.vocabulary), size_t(thePlan.vocabulary))));
  return Status::success();
}

Status Session::draft(int32_t sequence, int64_t first, std::span<const uint32_t> following, RowChoice choice,
                      const RowSink &sink) {
  int64_t count = int64_t(following.size());
  if (!hasDraft() || lastStep.sequence != sequence || first < 0 || count < 1 ||
      first + count > lastStep.tokens)
    return Status::error(Exit::Unexpected, "E-SESSION-DRAFT", "there are no hidden rows to draft from");
  auto start = std::chrono::steady_clock::now();
  std::vector<int32_t> tokens(following.begin(), following.end()), positions, sequences, rows;
  for (int64_t i = 0; i < count; ++i) {
    if (following[size_t(i)] >= uint64_t(thePlan.validVocabulary))
      return Status::error(Exit::Usage, "E-TOKEN-ID-RANGE",
                           "there is no token " + std::to_string(following[size_t(i)]))
          .remedy("give ids below " + std::to_string(thePlan.validVocabulary));
    positions.push_back(int32_t(lastStep.firstPosition + first + i));
    sequences.push_back(sequence);
    if (choice == RowChoice::All || (choice == RowChoice::Last && i + 1 == count))
      rows.push_back(int32_t(i));
  }
  size_t columns = size_t(thePlan.vocabulary);
  rowMemory.resize(rows.size() * columns);
  StepInputs inputs{tokens, positions, sequences, rows, first};
  lastStep = {}; // the draft head's own rows take the place of the step's
  QUERN_RETURN_IF_ERROR(executor->run("mtp", inputs, rowMemory));
  counts.draftSeconds += secondsSince(start);
  for (size_t r = 0; r < rows.size(); ++r)
    QUERN_RETURN_IF_ERROR(sink(0, size_t(rows[r]), std::span(rowMemory).subspan(r * columns, columns)));
  return Status::success();
}

Expected<LogitsRows> Session::run(std::span<const Feed> feeds) {
  LogitsRows rows;
  rows.columns = thePlan.vocabulary;
  QUERN_RETURN_IF_ERROR(run(feeds, [&](size_t, size_t, std::span<const float> logits) {
    rows.values.insert(rows.values.end(), logits.begin(), logits.end());
    return Status::success();
  }));
  return rows;
}

SessionStatistics Session::statistics() const {
  SessionStatistics result = counts;
  DeviceCounters counters = device->counters();
  result.launches = counters.launches;
  result.deviceBytes = counters.bytesAllocated;
  result.peakDeviceBytes = counters.peakBytesAllocated;
  return result;
}

} // namespace quern::runtime
