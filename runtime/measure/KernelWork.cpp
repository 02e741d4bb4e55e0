//===- KernelWork.cpp -----------------------------------------------------===//
#include "runtime/measure/KernelWork.h"

#include <charconv>
#include <cmath>

namespace quern::runtime {

namespace {

/// Parameters of a kernel's text; 0 for what it does not have. An element type is its bytes.
class Parameters {
public:
  explicit Parameters(std::string_view text) {
    const size_t brace = text.find('{'), close = text.find('}');
    kernel = text.substr(0, brace);
    if (close != std::string_view::npos)
      words = text.substr(close + 1);
  }

  std::string_view kernel;

  double number(std::string_view key) const {
    const std::string_view value = find(key);
    double result = 0;
    std::from_chars(value.data(), value.data() + value.size(), result);
    return std::isfinite(result) && result > 0 ? result : 0;
  }

  double bytes(std::string_view key) const {
    const std::string_view type = find(key);
    return type.starts_with("f8") || type.starts_with("i8") ? 1
           : type == "bf16" || type == "f16"                ? 2
           : type == "f32" || type == "i32"                 ? 4
                                                            : 0;
  }

private:
  std::string_view find(std::string_view key) const {
    for (size_t at = 0; at < words.size();) {
      const size_t end = std::min(words.find(' ', at), words.size());
      const std::string_view word = words.substr(at, end - at);
      if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=')
        return word.substr(key.size() + 1);
      at = end + 1;
    }
    return {};
  }
  std::string_view words;
};

} // namespace

Work kernelWork(std::string_view text, int64_t rowCount) {
  const Parameters p(text);
  const double rows = double(rowCount), n = p.number("N"), k = p.number("K"), heads = p.number("H");
  Work work;
  if (rowCount <= 0)
    return work;
  if (p.kernel == "linear") {
    if (p.number("GROUPED"))
      return work; // the number of rows that are none is not known
    const double share = std::max(p.number("SHARE"), 1.0);
    work.operations = 2 * rows * n * k;
    work.bytes = n * k * p.bytes("W") + rows / share * k * p.bytes("X");
  } else if (p.kernel == "head_linear") {
    work.operations = 2 * rows * heads * n * k;
    work.bytes = heads * (n * k * p.bytes("W") + rows * k * p.bytes("X"));
  } else if (p.kernel == "rms_norm" || p.kernel == "layer_norm") {
    work.bytes = rows * heads * n * p.bytes("X") * (p.number("RESIDUAL") ? 2 : 1);
  } else if (p.kernel == "pointwise") {
    work.bytes =
        rows * heads * n * (p.bytes("A") + (p.number("HAS_B") && !p.number("ROW_B") ? p.bytes("B") : 0));
  } else if (p.kernel == "combine") {
    work.bytes = rows * n * (p.number("KSEL") * p.bytes("X") + (p.number("SHARED") ? p.bytes("Y") : 0));
  } else if (p.kernel == "quantise") {
    work.bytes = rows * k * p.bytes("X");
  } else if (p.kernel == "latent_attention") {
    work.bytes = rows * heads * p.number("L") * 4;
  } else if (p.kernel == "attention") {
    work.bytes = rows * p.number("HKV") * p.number("G") * p.number("D") * p.bytes("X");
  }
  return work;
}

int64_t rowsOf(std::span<const Argument> arguments) {
  for (const Argument &argument : arguments)
    if (argument.kind == ArgumentKind::I32)
      return int64_t(int32_t(argument.bits));
  return 0;
}

} // namespace quern::runtime
