//===- RunVerb.cpp --------------------------------------------------------===//
#include "tools/cli/RunVerb.h"
#include "tools/cli/Counters.h"
#include "tools/cli/Program.h"

#include "runtime/Generate.h"
#include "runtime/ModelText.h"
#include "support/Interrupt.h"
#include "support/Progress.h"
#include "support/safetensors/Safetensors.h"

#include <cstdio>
#include <iostream>
#include <memory>
#include <unistd.h>

namespace quern::tools {

using namespace quern::runtime;

namespace {

/// Weights of fewer bytes are there before a line of progress could be read.
constexpr uint64_t quickBytes = uint64_t(256) << 20;

struct RunOptions {
  std::string artifact, prompt, ids;
  bool chat = false, ignoreStop = false, speculate = false, stats = false;
  std::vector<std::string> logits; ///< which rows, and where to
  std::string counters;            ///< as for addCountersFlag
  ProgramFlags flags;
  std::optional<int64_t> newTokens;
  std::optional<float> temperature, topP;
  std::optional<uint32_t> topK;
  uint64_t seed = 0;
  SessionOptions session;
};

Expected<std::vector<uint32_t>> parseIds(const std::string &text) {
  std::vector<uint32_t> ids;
  for (size_t at = 0; at <= text.size();) {
    size_t end = std::min(text.find(',', at), text.size());
    std::string part = text.substr(at, end - at);
    if (part.empty() || part.size() > 10 || part.find_first_not_of("0123456789") != std::string::npos ||
        std::stoull(part) > UINT32_MAX)
      return Status::error(Exit::Usage, "E-TOKEN-IDS", "`" + part.substr(0, 40) + "` is no token id")
          .remedy("write ids with commas between them: --ids 1,2,3");
    ids.push_back(uint32_t(std::stoul(part)));
    at = end + 1;
  }
  return ids;
}

/// Text on stdout as it comes; a reader that went away is an error.
Status print(std::string_view text) {
  if (text.empty())
    return Status::success();
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return Status::success();
  return Status::error(Exit::Resource, "E-OUTPUT-NOT-WRITABLE", "cannot write to the standard output");
}

class Run {
public:
  explicit Run(const RunOptions &options) : options(options) {}

  Status execute() {
    QUERN_RETURN_IF_ERROR(checkOptions());
    QUERN_ASSIGN_OR_RETURN(Artifact artifact, Artifact::open(options.artifact));
    QUERN_ASSIGN_OR_RETURN(ModelText read, ModelText::read(artifact));
    text.emplace(std::move(read));
    bool talks = options.chat && options.prompt.empty();
    std::vector<uint32_t> prompt;
    if (!talks) {
      QUERN_ASSIGN_OR_RETURN(prompt, readPrompt());
    }
    QUERN_RETURN_IF_ERROR(open(std::move(artifact), talks ? 0 : int64_t(prompt.size())));
    QUERN_ASSIGN_OR_RETURN(sequence, session->begin());
    Status status = talks ? talk() : options.logits.empty() ? answer(prompt, nullptr) : writeLogits(prompt);
    if (options.stats)
      printStatistics();
    if (!options.counters.empty() && status.ok())
      return reportCounters(
          {session->deviceInfo().name, session->launchDevice().takeKernelCounts(), &session->plan()},
          options.counters, stderr);
    return status;
  }

private:
  Status checkOptions() const {
    auto usage = [](const char *sentence, const char *remedy) {
      return Status::error(Exit::Usage, "E-RUN-OPTIONS", sentence).remedy(remedy);
    };
    int given = !options.prompt.empty() + !options.ids.empty();
    if (given == 2)
      return usage("both a text and token ids are given", "give -p or --ids");
    if (given == 0 && !options.chat)
      return usage("there is no prompt", "give -p TEXT, --ids 1,2,3, or --chat for a conversation");
    if (options.chat && !options.ids.empty())
      return usage("a conversation does not begin with token ids", "give --chat with -p, or --ids alone");
    if (!options.logits.empty() && options.logits[0] != "all" && options.logits[0] != "last")
      return usage("--logits takes all or last", "write --logits all [FILE.safetensors]");
    if (!options.counters.empty())
      QUERN_RETURN_IF_ERROR(checkCountersDevice(options.session.device));
    if (options.chat && options.prompt.empty() && !options.logits.empty())
      return usage("a conversation writes no logits", "give -p or --ids");
    return Status::success();
  }

  Expected<std::vector<uint32_t>> readPrompt() const {
    if (!options.ids.empty())
      return parseIds(options.ids);
    if (!options.chat)
      return text->encode(options.prompt);
    Json messages = Json::array();
    messages.push(message("user", options.prompt));
    return text->encodeChat(messages);
  }

  static Json message(const char *role, const std::string &content) {
    Json json = Json::object();
    json.set("role", role);
    json.set("content", content);
    return json;
  }

  int64_t newTokens() const { return options.newTokens.value_or(options.logits.empty() ? 128 : 0); }

  /// |promptTokens| is 0 for a conversation, whose length is not known.
  Status open(Artifact artifact, int64_t promptTokens) {
    SessionOptions own = options.session;
    // One answer needs no more cache than its tokens.
    if (auto limit = artifact.manifest().limits.find("max_context");
        own.context == 0 && promptTokens != 0 && limit != artifact.manifest().limits.end())
      own.context = std::min<int64_t>(promptTokens + newTokens() + 1,
                                      int64_t(std::min<uint64_t>(limit->second, 1u << 24)));
    uint64_t total = artifact.weights().totalBytes();
    Progress progress(total < quickBytes ? ProgressMode::None : options.flags.progressMode(),
                      "prepare weights", total, ProgressUnit::Bytes);
    own.loadProgress = [&](uint64_t bytes) { progress.add(bytes); };
    QUERN_ASSIGN_OR_RETURN(session, Session::open(std::move(artifact), own));
    return Status::success();
  }

  GenerateOptions generateOptions() const {
    GenerateOptions own;
    own.maxTokens = newTokens();
    own.sampling = text->sampling();
    if (options.temperature)
      own.sampling.temperature = *options.temperature;
    if (options.topP)
      own.sampling.topP = *options.topP;
    if (options.topK)
      own.sampling.topK = *options.topK;
    own.sampling.seed = options.seed;
    own.speculate = options.speculate;
    if (!options.ignoreStop)
      own.stop = text->stopTokens();
    if (text->tokenizer())
      own.tokenCount = text->tokenizer()->size();
    return own;
  }

  /// Streams the answer to |prompt|; appends its text to |said|. Without a tokenizer, or after ids, ids are
  /// printed.
  Status answer(std::span<const uint32_t> prompt, std::string *said) {
    bool asText = text->tokenizer() && options.ids.empty();
    std::optional<Tokenizer::Stream> stream;
    if (asText)
      stream.emplace(*text->tokenizer());
    bool first = true, any = false;
    auto emit = [&](const std::string &piece) {
      any = true;
      if (said)
        *said += piece;
      return print(piece);
    };
    auto sink = [&](uint32_t token) -> Expected<bool> {
      if (!asText) {
        QUERN_RETURN_IF_ERROR(print((first ? "" : ",") + std::to_string(token)));
        first = false;
        return true;
      }
      QUERN_ASSIGN_OR_RETURN(std::string piece, stream->push(token));
      QUERN_RETURN_IF_ERROR(emit(piece));
      return true;
    };
    Expected<GenerateReport> report = generate(*session, sequence, prompt, generateOptions(), sink);
    if (stream) {
      QUERN_ASSIGN_OR_RETURN(std::string rest, stream->finish());
      if (!rest.empty())
        QUERN_RETURN_IF_ERROR(emit(rest));
    }
    if (report.ok() || any || !first)
      QUERN_RETURN_IF_ERROR(print("\n"));
    if (!report.ok())
      return report.takeError();
    promptTokens += report->promptTokens;
    generated += report->newTokens;
    promptSeconds += report->promptSeconds;
    newSeconds += report->newSeconds;
    drafted += report->drafted;
    accepted += report->accepted;
    return Status::success();
  }

  /// A conversation: a line from stdin, an answer, until the input ends. What the sequence holds already of
  /// the rendered conversation is not run again.
  Status talk() {
    Json messages = Json::array();
    std::vector<uint32_t> held;
    for (std::string line;;) {
      if (isatty(STDIN_FILENO))
        std::fprintf(stderr, "> ");
      if (!std::getline(std::cin, line)) {
        QUERN_RETURN_IF_ERROR(checkInterrupt());
        return Status::success();
      }
      if (line.empty())
        continue;
      messages.push(message("user", line));
      QUERN_ASSIGN_OR_RETURN(std::vector<uint32_t> all, text->encodeChat(messages));
      size_t same = 0;
      while (same < held.size() && same + 1 < all.size() && held[same] == all[same])
        ++same;
      QUERN_RETURN_IF_ERROR(session->truncate(sequence, int64_t(same)));
      std::string said;
      QUERN_RETURN_IF_ERROR(answer(std::span(all).subspan(same), &said));
      held = all;
      held.resize(std::min(held.size(), size_t(session->length(sequence))));
      messages.push(message("assistant", said));
    }
  }

  /// f32 rows of the prompt: a safetensors file with one tensor `logits`, or a JSON line for each row.
  Status writeLogits(std::span<const uint32_t> prompt) {
    bool all = options.logits[0] == "all";
    uint64_t columns = uint64_t(session->plan().vocabulary), rows = all ? prompt.size() : 1;
    std::optional<SafetensorsWriter> file;
    if (options.logits.size() > 1) {
      std::vector<TensorSpec> specs = {{"logits", ElementType::F32, {rows, columns}}};
      QUERN_ASSIGN_OR_RETURN(SafetensorsWriter writer, SafetensorsWriter::create(options.logits[1], specs));
      file.emplace(std::move(writer));
    }
    Feed feed{sequence, prompt, all ? RowChoice::All : RowChoice::Last};
    QUERN_RETURN_IF_ERROR(session->run(std::span(&feed, 1),
                                       [&](size_t, size_t position, std::span<const float> logits) -> Status {
                                         if (file)
                                           return file->write(std::as_bytes(logits));
                                         Json values = Json::array();
                                         for (float value : logits)
                                           values.push(double(value));
                                         Json line = Json::object();
                                         line.set("position", position);
                                         line.set("logits", std::move(values));
                                         return print(writeJson(line) + "\n");
                                       }));
    promptTokens = int64_t(prompt.size());
    promptSeconds = session->statistics().stepSeconds;
    return file ? file->finish() : Status::success();
  }

  void printStatistics() const {
    SessionStatistics s = session->statistics();
    const DeviceInfo &info = session->deviceInfo();
    auto rate = [](int64_t tokens, double seconds) { return seconds > 0 ? double(tokens) / seconds : 0.0; };
    std::fprintf(stderr, "device    %s, %s, plan %s (%s)\n", info.name.c_str(), info.description.c_str(),
                 session->plan().target.c_str(), session->plan().rung.c_str());
    std::fprintf(stderr,
                 "open      %.3f s, of it weights %.3f s: %s (%s where they are in the file) from %s, %s of "
                 "host memory\n",
                 s.openSeconds, s.prepareSeconds, formatBytes(double(s.weights.bytes)).c_str(),
                 formatBytes(double(s.weights.inPlaceBytes)).c_str(),
                 formatBytes(double(s.weights.sourceBytes)).c_str(),
                 formatBytes(double(s.weights.peakHostBytes)).c_str());
    std::fprintf(stderr, "memory    %s on the device, of it KV cache %s for %lld positions\n",
                 formatBytes(double(s.deviceBytes)).c_str(), formatBytes(double(s.cacheBytes)).c_str(),
                 static_cast<long long>(session->context()));
    std::fprintf(stderr, "prompt    %lld tokens in %.3f s, %.1f tokens/s\n",
                 static_cast<long long>(promptTokens), promptSeconds, rate(promptTokens, promptSeconds));
    std::fprintf(stderr, "generated %lld tokens in %.3f s, %.1f tokens/s\n",
                 static_cast<long long>(generated), newSeconds, rate(generated, newSeconds));
    if (drafted)
      std::fprintf(stderr, "drafts    %lld of %lld right (%.1f %%), in %.3f s\n",
                   static_cast<long long>(accepted), static_cast<long long>(drafted),
                   100.0 * double(accepted) / double(drafted), s.draftSeconds);
    std::fprintf(stderr, "steps     %llu with %llu launches\n", static_cast<unsigned long long>(s.steps),
                 static_cast<unsigned long long>(s.launches));
  }

  const RunOptions &options;
  std::optional<ModelText> text;
  std::unique_ptr<Session> session;
  int32_t sequence = 0;
  int64_t promptTokens = 0, generated = 0, drafted = 0, accepted = 0;
  double promptSeconds = 0, newSeconds = 0;
};

} // namespace

void addSanitizeFlag(CLI::App &app, DeviceOptions &options) {
  auto read = [&options](const std::string &text) {
    Expected<SanitizeSet> set = SanitizeSet::parse(text);
    if (!set.ok())
      throw CLI::ValidationError("--sanitize", set.error().sentence() + "; " + set.error().remedyText());
    options.sanitize = *set;
  };
  app.add_option_function<std::string>(
         "--sanitize", read,
         "Emulated devices: all, none, or some of memory, uninitialised, registers, global-races, fp8-nan")
      ->default_str("memory,uninitialised");
}

VerbBody addRunFlags(CLI::App &app, EmulatedFactory emulated) {
  auto options = std::make_shared<RunOptions>();
  options->session.deviceOptions.emulated = emulated;
  app.add_option("ARTIFACT", options->artifact, "The artifact to run (*.quern)")->required();
  app.add_option("-p,--prompt", options->prompt, "Text to continue; with --chat a message to answer");
  app.add_option("--ids", options->ids, "Token ids in place of a text: 1,2,3; ids come out");
  app.add_flag("--chat", options->chat, "Use the chat template; without -p a conversation, one line each");
  app.add_option("-n,--tokens", options->newTokens, "New tokens at most (128; 0 with --logits)")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 24));
  app.add_option("--temp", options->temperature, "Temperature; 0 takes the most likely token");
  app.add_option("--top-p", options->topP, "Keep the most likely tokens up to this probability");
  app.add_option("--top-k", options->topK, "Keep so many of the most likely tokens; 0 for all");
  app.add_option("--seed", options->seed, "Seed of sampling");
  app.add_flag("--ignore-stop", options->ignoreStop, "Go on after tokens that end an answer");
  app.add_flag("--speculate", options->speculate,
               "Let the model's draft head guess a token ahead; the same tokens");
  app.add_option("--logits", options->logits, "all or last, then a file: write logits of the prompt")
      ->expected(1, 2)
      ->type_name("ROWS [FILE.safetensors]");
  app.add_option("--device", options->session.device,
                 "cpu, cuda:0, hip:0, emulated:TARGET; default: the best present");
  app.add_option("--threads", options->session.deviceOptions.threads, "Host threads; default: all allowed")
      ->check(CLI::Range(1u, 4096u));
  app.add_flag("--batch-invariant", options->session.batchInvariant,
               "The same kernels for every number of tokens: a batch does not change its members' bits");
  app.add_option("--max-context", options->session.context, "Positions of the KV cache")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 24));
  app.add_option("--weights-dir", options->session.weightsDirectory,
                 "The checkpoint of an artifact with linked weights");
  addSanitizeFlag(app, options->session.deviceOptions);
  addCountersFlag(app, options->counters);
  app.add_flag("--stats", options->stats, "Print times and sizes at the end");
  addProgramFlags(app, options->flags);
  return [=]() -> Status {
    options->session.deviceOptions.counters = !options->counters.empty();
    return Run(*options).execute();
  };
}

} // namespace quern::tools
