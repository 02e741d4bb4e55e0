//===- GenerationConfig.cpp -----------------------------------------------===//
#include "runtime/sample/GenerationConfig.h"

namespace quern::runtime {

Expected<GenerationConfig> GenerationConfig::read(JsonRef json) {
  GenerationConfig config;
  QUERN_ASSIGN_OR_RETURN(config.doSample, json.findBool("do_sample"));
  auto readFloat = [&](const char *key, std::optional<float> &out) -> Status {
    QUERN_ASSIGN_OR_RETURN(std::optional<double> value, json.findFloat(key));
    if (value)
      out = static_cast<float>(*value);
    return Status::success();
  };
  auto readId = [&](const char *key, std::optional<uint32_t> &out) -> Status {
    // Some files hold a list here; its first entry counts.
    std::optional<JsonRef> member = json.find(key);
    if (member && (*member)->isArray()) {
      QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> list, member->asArray());
      member = list.empty() ? std::nullopt : std::optional<JsonRef>(list[0]);
    }
    if (!member)
      return Status::success();
    QUERN_ASSIGN_OR_RETURN(int64_t value, member->asInt({0, INT32_MAX}));
    out = static_cast<uint32_t>(value);
    return Status::success();
  };
  QUERN_RETURN_IF_ERROR(readFloat("temperature", config.temperature));
  QUERN_RETURN_IF_ERROR(readFloat("top_p", config.topP));
  QUERN_RETURN_IF_ERROR(readId("top_k", config.topK));
  QUERN_RETURN_IF_ERROR(readId("bos_token_id", config.beginToken));
  Status checked = checkSamplingOptions(config.samplingOptions());
  if (!checked.ok())
    return json.error(checked.id(), checked.sentence());
  return config;
}

SamplingOptions GenerationConfig::samplingOptions() const {
  SamplingOptions options;
  if (!doSample.value_or(false))
    return options;
  options.temperature = temperature.value_or(1);
  options.topK = topK.value_or(0);
  options.topP = topP.value_or(1);
  return options;
}

} // namespace quern::runtime
