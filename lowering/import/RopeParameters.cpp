//===- RopeParameters.cpp - Rotation frequencies from a configuration ------===//
#include "lowering/import/RopeParameters.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace quern;
using namespace quern::import;

namespace {

struct KindEntry {
  RopeKind kind;
  std::string_view name;
  std::vector<std::string_view> keys; ///< beside the type
};

const std::vector<KindEntry> &kinds() {
  static const std::vector<KindEntry> table = {
      {RopeKind::Default, "default", {}},
      {RopeKind::Linear, "linear", {"factor"}},
      {RopeKind::Yarn,
       "yarn",
       {"factor", "original_max_position_embeddings", "beta_fast", "beta_slow", "mscale", "mscale_all_dim",
        "attention_factor", "truncate"}},
      {RopeKind::Wavelength,
       "wavelength",
       {"factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor"}},
  };
  return table;
}

/// m(s, c) of the header.
double yarnMagnitude(double s, double c) { return s <= 1 ? 1 : 0.1 * c * std::log(s) + 1; }

Status outOfRange(const JsonRef &object, std::string_view key, std::string_view rule, double value) {
  return object.find(key)
      ->error("E-CONFIG-RANGE", "must be " + std::string(rule) + ", got " + std::to_string(value))
      .remedy("restore the file from its origin");
}

/// A finite number under |key| that |rule| accepts; |target| keeps its value where the key is absent.
template <typename Rule>
Status readNumber(const JsonRef &object, std::string_view key, double &target, std::string_view words,
                  Rule rule) {
  QUERN_ASSIGN_OR_RETURN(std::optional<double> value, object.findFloat(key));
  if (!value)
    return Status::success();
  if (!std::isfinite(*value) || !rule(*value))
    return outOfRange(object, key, words, *value);
  target = *value;
  return Status::success();
}

using KindWords = std::map<std::string, RopeKind, std::less<>>;

Expected<const KindEntry *> readKind(const JsonRef &object, const KindWords &words) {
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> type, object.findString("rope_type"));
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> older, object.findString("type"));
  if (type && older && *type != *older)
    return object.error("E-CONFIG-ROPE-KEY", "`type` and `rope_type` differ");
  if (!type)
    type = older;
  // Files that only moved `rope_theta` here name no kind.
  std::string_view name = type.value_or("default");
  if (auto it = words.find(name); it != words.end())
    return &kinds()[static_cast<size_t>(it->second)];
  std::string known;
  for (const auto &[word, kind] : words)
    known += (known.empty() ? "" : ", ") + word;
  return object
      .error("E-CONFIG-ROPE-KIND", "unknown kind of rotation `" + std::string(name) + "`", Exit::Unsupported)
      .remedy("supported kinds are " + known);
}

} // namespace

std::optional<RopeKind> quern::import::parseRopeKind(std::string_view word) {
  for (const KindEntry &entry : kinds())
    if (entry.name == word)
      return entry.kind;
  return std::nullopt;
}

std::string_view quern::import::ropeKindName(RopeKind kind) {
  return kinds()[static_cast<size_t>(kind)].name;
}

Rotation quern::import::computeRotation(int64_t dim, double theta, const RopeScaling &scaling,
                                        bool interleaved) {
  Rotation rotation;
  rotation.kind = scaling.kind;
  rotation.interleaved = interleaved;
  double d = static_cast<double>(dim), s = scaling.factor, context = scaling.originalContext;
  constexpr double turn = 2 * std::numbers::pi;
  double low = 0, high = 0;
  if (scaling.kind == RopeKind::Yarn) {
    auto bound = [&](double rotations) {
      return d * std::log(context / (turn * rotations)) / (2 * std::log(theta));
    };
    low = bound(scaling.betaFast);
    high = bound(scaling.betaSlow);
    if (scaling.truncate) {
      low = std::floor(low);
      high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, d - 1);
    if (low == high)
      high += 0.001;
    rotation.magnitude = scaling.attentionFactor != 0 ? scaling.attentionFactor
                         : scaling.mscale != 0 && scaling.mscaleAllDim != 0
                             ? yarnMagnitude(s, scaling.mscale) / yarnMagnitude(s, scaling.mscaleAllDim)
                             : yarnMagnitude(s, 1);
    if (scaling.mscaleAllDim != 0)
      rotation.softmaxFactor = std::pow(yarnMagnitude(s, scaling.mscaleAllDim), 2);
  }
  for (int64_t i = 0; i < dim / 2; ++i) {
    double f = std::pow(theta, -2.0 * static_cast<double>(i) / d);
    switch (scaling.kind) {
    case RopeKind::Default:
      break;
    case RopeKind::Linear:
      f /= s;
      break;
    case RopeKind::Yarn: {
      double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
      f = f / s * ramp + f * (1 - ramp);
      break;
    }
    case RopeKind::Wavelength: {
      double wavelength = turn / f;
      double blend =
          (context / wavelength - scaling.lowFrequency) / (scaling.highFrequency - scaling.lowFrequency);
      if (wavelength > context / scaling.lowFrequency)
        f /= s;
      else if (wavelength >= context / scaling.highFrequency)
        f = (1 - blend) * f / s + blend * f;
      break;
    }
    }
    rotation.frequencies.push_back(static_cast<float>(f));
  }
  return rotation;
}

Expected<RopeScaling> quern::import::readRopeScaling(const JsonRef &object,
                                                     const std::vector<std::string> &understood,
                                                     const KindWords &words) {
  QUERN_ASSIGN_OR_RETURN(auto members, object.asObject());
  QUERN_ASSIGN_OR_RETURN(const KindEntry *entry, readKind(object, words));
  for (const auto &[key, value] : members) {
    bool known = key == "type" || key == "rope_type" || value->isNull() ||
                 std::find(entry->keys.begin(), entry->keys.end(), key) != entry->keys.end() ||
                 std::find(understood.begin(), understood.end(), key) != understood.end();
    if (!known)
      return value
          .error("E-CONFIG-ROPE-KEY",
                 "is not a parameter of the rotation kind `" + std::string(entry->name) + "`")
          .remedy("describe what it means in a family file and pass --family FILE");
  }
  RopeScaling scaling;
  scaling.kind = entry->kind;
  auto positive = [](double x) { return x > 0; };
  auto atLeastZero = [](double x) { return x >= 0; };
  if (scaling.kind != RopeKind::Default) {
    QUERN_RETURN_IF_ERROR(object.get("factor").ok() ? Status::success() : object.get("factor").takeError());
    QUERN_RETURN_IF_ERROR(
        readNumber(object, "factor", scaling.factor, "at least 1", [](double x) { return x >= 1; }));
  }
  if (scaling.kind == RopeKind::Yarn || scaling.kind == RopeKind::Wavelength) {
    constexpr std::string_view key = "original_max_position_embeddings";
    QUERN_RETURN_IF_ERROR(object.get(key).ok() ? Status::success() : object.get(key).takeError());
    QUERN_RETURN_IF_ERROR(
        readNumber(object, key, scaling.originalContext, "at least 1", [](double x) { return x >= 1; }));
  }
  if (scaling.kind == RopeKind::Yarn) {
    QUERN_RETURN_IF_ERROR(readNumber(object, "beta_fast", scaling.betaFast, "positive", positive));
    QUERN_RETURN_IF_ERROR(readNumber(object, "beta_slow", scaling.betaSlow, "positive", positive));
    QUERN_RETURN_IF_ERROR(readNumber(object, "mscale", scaling.mscale, "0 or more", atLeastZero));
    QUERN_RETURN_IF_ERROR(
        readNumber(object, "mscale_all_dim", scaling.mscaleAllDim, "0 or more", atLeastZero));
    QUERN_RETURN_IF_ERROR(
        readNumber(object, "attention_factor", scaling.attentionFactor, "positive", positive));
    QUERN_ASSIGN_OR_RETURN(std::optional<bool> truncate, object.findBool("truncate"));
    scaling.truncate = truncate.value_or(true);
    if (scaling.betaFast < scaling.betaSlow)
      return object.error("E-CONFIG-RANGE", "`beta_fast` is below `beta_slow`");
  }
  if (scaling.kind == RopeKind::Wavelength) {
    for (std::string_view key : {"low_freq_factor", "high_freq_factor"})
      QUERN_RETURN_IF_ERROR(object.get(key).ok() ? Status::success() : object.get(key).takeError());
    QUERN_RETURN_IF_ERROR(readNumber(object, "low_freq_factor", scaling.lowFrequency, "positive", positive));
    QUERN_RETURN_IF_ERROR(
        readNumber(object, "high_freq_factor", scaling.highFrequency, "positive", positive));
    if (scaling.highFrequency <= scaling.lowFrequency)
      return object.error("E-CONFIG-RANGE", "`high_freq_factor` is not above `low_freq_factor`");
  }
  return scaling;
}
