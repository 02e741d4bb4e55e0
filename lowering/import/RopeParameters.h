//===- RopeParameters.h - Rotation frequencies from a configuration --------===//
//
// Base frequencies are f_i = theta^(-2i/d), i = 0 .. d/2-1. What a configuration can do to them:
//
//   default   nothing
//   linear    f'_i = f_i / factor
//   wavelength  by wavelength w_i = 2 pi / f_i and the original context L0: unchanged below L0/high, divided
//   by the
//             factor above L0/low, and in between a blend with sigma = (L0/w_i - low) / (high - low)
//   yarn      by index: D(r) = d ln(L0 / (2 pi r)) / (2 ln theta), low = max(floor D(beta_fast), 0),
//             high = min(ceil D(beta_slow), d-1), ramp_i = clamp((i - low) / (high - low), 0, 1),
//             f'_i = (f_i / factor) ramp_i + f_i (1 - ramp_i)
//
// yarn also has m(s, c) = 0.1 c ln s + 1 (1 for s <= 1): cosines and sines are multiplied by
// m(s, mscale) / m(s, mscale_all_dim) or, without the two, by m(s, 1); `attention_factor` wins over both.
// Where mscale_all_dim is there, softmax scales may want m(s, mscale_all_dim)^2, which a family asks for by
// the function yarn_softmax_factor('TABLE').
//
// Everything is computed in fp64 and rounded once to fp32.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_ROPEPARAMETERS_H
#define QUERN_LOWERING_IMPORT_ROPEPARAMETERS_H

#include "support/Json.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quern::import {

enum class RopeKind { Default, Linear, Yarn, Wavelength };
/// From the words "default", "linear", "yarn" and "wavelength".
std::optional<RopeKind> parseRopeKind(std::string_view word);
std::string_view ropeKindName(RopeKind kind);

/// The parameters of one kind; fields of other kinds keep their defaults.
struct RopeScaling {
  RopeKind kind = RopeKind::Default;
  double factor = 1;
  double originalContext = 0;                 ///< L0, in tokens
  double betaFast = 32, betaSlow = 1;         ///< yarn
  bool truncate = true;                       ///< yarn: floor and ceil of the two bounds
  double mscale = 0, mscaleAllDim = 0;        ///< yarn; 0: not given
  double attentionFactor = 0;                 ///< yarn; 0: not given
  double lowFrequency = 1, highFrequency = 4; ///< wavelength
};

/// What the operators need.
struct Rotation {
  RopeKind kind = RopeKind::Default;
  bool interleaved = false;
  std::vector<float> frequencies; ///< d/2 of them
  double magnitude = 1;           ///< factor on cosines and sines
  double softmaxFactor = 1;       ///< m(s, mscale_all_dim)^2
};

/// |dim| is even and positive, |theta| > 1.
Rotation computeRotation(int64_t dim, double theta, const RopeScaling &scaling, bool interleaved);

/// Reads `rope_scaling` or `rope_parameters`. A key that the kind does not have is an error, because it would
/// change what is computed: Exit::BadInput "E-CONFIG-ROPE-KEY", "E-CONFIG-RANGE"; Exit::Unsupported
/// "E-CONFIG-ROPE-KIND". |understood| are keys that the family reads itself, such as `partial_rotary_factor`.
Expected<RopeScaling> readRopeScaling(const JsonRef &object, const std::vector<std::string> &understood,
                                      const std::map<std::string, RopeKind, std::less<>> &kinds);

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_ROPEPARAMETERS_H
