//===- Bundle.h - Candidates to be measured elsewhere ---------------------===//
//
// One file (`.qbundle`) with everything that measuring needs and nothing of the compiler: for each problem
// its inputs and expected results (contract 12) and the code of its candidates. It is a zip in the form of
// artifacts (runtime/artifact/Zip.h):
//
//   manifest.json              what is inside, and the digest of every other member
//   problem-<p>/cases          KernelCase.h, each behind its length
//   problem-<p>/<config>       Trial.h, a candidate
//
// The comment at its end carries the digest of the manifest. Nothing that fails a check is ever handed out.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_BUNDLE_BUNDLE_H
#define QUERN_TUNER_BUNDLE_BUNDLE_H

#include "support/Files.h"
#include "tuner/database/Records.h"
#include "tuner/measure/TrialRunner.h"

#include <map>

namespace quern::tuner {

struct BundleCandidate {
  std::string config;
  std::string member;
  double modelled = 0; ///< seconds, > 0
};

struct BundleProblem {
  /// What a measurement of it says beside its result: problem, toolchain, tokens, seed.
  Measurement record;
  std::string standard; ///< the default's configuration
  runtime::Work work;
  std::string cases; ///< member
  std::vector<BundleCandidate> candidates;
};

class BundleWriter {
public:
  static Expected<BundleWriter> create(const std::string &path, const std::string &target);
  BundleWriter(BundleWriter &&) noexcept;
  ~BundleWriter();

  /// Candidates come after their problem and before the next one.
  Status addProblem(const Measurement &record, const std::string &standard, const TrialProblem &cases);
  Status addCandidate(const Candidate &candidate, double modelled);
  Status finish();

  size_t candidates() const { return count; }

private:
  struct Parts;
  explicit BundleWriter(std::unique_ptr<Parts> parts);
  Status addMember(const std::string &name, std::string_view bytes);
  std::unique_ptr<Parts> parts;
  size_t count = 0;
};

class Bundle {
public:
  /// Exit::BadInput "E-BUNDLE-NOT-A-BUNDLE", "E-BUNDLE-DAMAGED", "E-BUNDLE-VERSION" and those of Files.h.
  static Expected<Bundle> open(const std::string &path);

  const std::string &target() const { return targetName; }
  /// Of the whole manifest, in hexadecimal: what the results of a bundle belong to.
  const std::string &digest() const { return manifestDigest; }
  const std::vector<BundleProblem> &problems() const { return all; }

  /// Members after their check: "E-BUNDLE-DAMAGED", "E-BUNDLE-CASE", "E-BUNDLE-CANDIDATE".
  Expected<TrialProblem> cases(const BundleProblem &problem) const;
  Expected<Candidate> candidate(const BundleCandidate &candidate) const;

private:
  Expected<std::string_view> member(const std::string &name) const;

  std::string path, targetName, manifestDigest;
  MappedFile file;
  std::map<std::string, ByteSpan, std::less<>> members;
  std::map<std::string, std::string, std::less<>> digests;
  std::vector<BundleProblem> all;
};

} // namespace quern::tuner

#endif // QUERN_TUNER_BUNDLE_BUNDLE_H
