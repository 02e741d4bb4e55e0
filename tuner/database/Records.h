//===- Records.h - What the tuning database keeps -------------------------===//
//
// A measurement says: this configuration, on this problem with so many tokens, on this device, made by this
// compiler, came out so. Each of the four has a key, a digest of its canonical text: equal keys are equal
// things, on every machine. No key depends on a path, a time, a name or the order in which things were found.
//
//   Problem problem{"linear", {{"K", "4096"}, {"N", "512"}}, "bf16", {1, 16}};
//   problem.text()      linear K=4096 N=512 dtype=bf16 T=1..16
//   problem.family()    linear K=4096 N=512 dtype=bf16
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_DATABASE_RECORDS_H
#define QUERN_TUNER_DATABASE_RECORDS_H

#include "support/Json.h"
#include "support/Status.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace quern::tuner {

/// Numbers of tokens in a step, both ends included; `1 <= first <= last`.
struct TokenRange {
  int64_t first = 1, last = 1;

  bool contains(int64_t tokens) const { return first <= tokens && tokens <= last; }
  bool intersects(TokenRange other) const { return first <= other.last && other.first <= last; }
  /// "1..16"; "4" where both ends are one.
  std::string text() const;
  auto operator<=>(const TokenRange &) const = default;
};

/// What is to be computed.
struct Problem {
  std::string kernel; ///< folder name in kernels/
  /// Kernel parameters that decide about time, as texts: those that the kernel's space.json lists as its key.
  std::map<std::string, std::string> parameters;
  std::string dtype; ///< of the operands, as the kernel's space.json names it: "bf16", "f8E4M3FN"
  TokenRange tokens; ///< the bucket that this problem stands for

  /// Without the range: problems of one family differ in the number of tokens only.
  std::string family() const;
  std::string text() const;
  std::string key() const;
  /// The key of `family()`.
  std::string familyKey() const;
  auto operator<=>(const Problem &) const = default;
};

/// Which device. Devices of one product and one setting are equal; the name is a label and no part of it.
struct DeviceIdentity {
  std::string hardware;     ///< "pci:10de:2330"; "cpu:GenuineIntel-6-143-8" (maker, family, model, stepping)
  std::string architecture; ///< "sm_90", "gfx942", "x86-64-v4"
  uint32_t units = 0;       ///< multiprocessors, compute units, or hardware threads
  std::string partition;    ///< "1g.10gb", "SPX/NPS1"; empty for a whole device
  uint32_t memoryClockMhz = 0; ///< class: rounded to 50 MHz; 0 where the driver does not say
  std::string name;            ///< the vendor's product name, for people

  std::string text() const;
  std::string key() const;
  /// False as soon as one part of the identity differs, however equal names, architectures and units are.
  bool operator==(const DeviceIdentity &other) const { return text() == other.text(); }
};
/// |mhz| as a class: cards of one product differ by a few MHz.
uint32_t memoryClockClass(uint32_t mhz);

/// What made the code, and for what.
struct Toolchain {
  std::string compiler; ///< `lowering::compilerFingerprint()`
  std::string target;   ///< of the code: "nvidia:sm_90a", "cpu:x86-64-v3"; a device may run code of several
  std::string driver;   ///< what finishes the code on the device; empty where nothing does
  std::string version;  ///< "0.1.0", for people; no part of the key

  std::string text() const;
  std::string key() const;
  bool operator==(const Toolchain &other) const { return text() == other.text(); }
};

/// How a trial ended. Stored by name: "ok", "wrong", "compile failed", "run failed", "hung", "out of memory".
enum class Outcome : uint8_t { Ok, Wrong, CompileFailed, RunFailed, Hung, OutOfMemory };
inline constexpr size_t outcomeCount = 6;
const char *outcomeName(Outcome outcome);
/// Exit::BadInput "E-DATABASE-RECORD".
Expected<Outcome> parseOutcome(std::string_view name);

/// One trial. Nothing in the database is ever changed: a second trial is a second measurement.
struct Measurement {
  Problem problem;
  DeviceIdentity device;
  Toolchain toolchain;
  std::string config;     ///< canonical text of a Schedule: the whole configuration, no index into anything
  int64_t tokens = 1;     ///< at which it was run; in |problem.tokens|
  bool isDefault = false; ///< the configuration was the one that is taken without a database
  Outcome outcome = Outcome::Ok;
  std::vector<double> samples; ///< seconds of one run, in the order taken; not empty if and only if Ok
  uint32_t runsPerSample = 1;  ///< a sample is the mean of as many runs
  std::string cache = "cold";  ///< "cold" or "warm": what the caches held when a sample began
  uint64_t seed = 0;           ///< of the inputs
  double error = 0;            ///< largest error against the oracle, as the operator's error model counts it
  int64_t timestamp = 0;       ///< milliseconds since 1970-01-01 UTC
  std::string session;         ///< measurements taken in turns with one another carry one name; may be empty
  std::string detail;          ///< why it is not Ok; the compiler's or the driver's words
  Json facts = Json::object(); ///< of the compiled candidate: registers, shared bytes, clocks, power, ...

  /// A digest over everything: merging knows by it what is there already.
  std::string key() const;
};

/// Takes a choice back, or lets it stand again. The latest decision about a configuration holds.
struct Decision {
  std::string family; ///< `Problem::familyKey()`
  std::string device; ///< `DeviceIdentity::key()`
  std::string config;
  enum class Kind : uint8_t { Revert, Restore } kind = Kind::Revert;
  int64_t timestamp = 0;
  std::string note; ///< who and why

  std::string key() const;
};

/// A configuration that somebody else found good: where a search may begin, never a choice by itself.
struct Seed {
  Problem problem;
  std::string device; ///< the name that its source gives the device; a label
  std::string config;
  std::string source; ///< format and file name: "vllm:E=8,N=14336,device_name=...json"
  double seconds = 0; ///< as the source claims; 0 where it does not

  std::string key() const;
};

/// Checks that a record says one thing: |config| is the canonical text of a Schedule of the problem's kernel,
/// tokens lie in the range, samples are positive and there where and only where the outcome is Ok.
/// Exit::BadInput "E-DATABASE-RECORD".
Status check(const Measurement &measurement);
Status check(const Seed &seed);

/// One line of the export for review, and back. Members stand in a fixed order, so that equal records give
/// equal bytes. Reading: Exit::BadInput with the line's name; unknown members are ignored.
Json toJson(const Measurement &measurement);
Json toJson(const Decision &decision);
Json toJson(const Seed &seed);
Expected<Measurement> measurementFromJson(JsonRef json);
Expected<Decision> decisionFromJson(JsonRef json);
Expected<Seed> seedFromJson(JsonRef json);

} // namespace quern::tuner

#endif // QUERN_TUNER_DATABASE_RECORDS_H
