//===- Ptx.cpp ------------------------------------------------------------===//
#include "runtime/cuda/Ptx.h"

#include "runtime/cuda/Symbols.h"

#include <cctype>
#include <charconv>
#include <iterator>

namespace quern::runtime::cuda {

namespace {

/// Words of PTX: directives and types with their dot, names, numbers, single signs. Comments are skipped.
class Words {
public:
  explicit Words(std::string_view text) : text(text) {}

  /// The next word; empty at the end.
  std::string_view next() {
    skip();
    if (at >= text.size())
      return {};
    size_t begin = at++;
    if (isWordLetter(text[begin]) || text[begin] == '.')
      while (at < text.size() && (isWordLetter(text[at]) || (text[at] == '.' && isDigit(text[begin]))))
        ++at;
    else if (text[begin] == '"')
      at = std::min(text.find('"', at), text.size() - 1) + 1;
    return text.substr(begin, at - begin);
  }

private:
  static bool isDigit(char letter) { return letter >= '0' && letter <= '9'; }
  static bool isWordLetter(char letter) {
    return isalnum(static_cast<unsigned char>(letter)) || letter == '_' || letter == '$' || letter == '%';
  }
  void skip() {
    while (at < text.size()) {
      if (isspace(static_cast<unsigned char>(text[at])))
        ++at;
      else if (text.substr(at, 2) == "//")
        at = std::min(text.find('\n', at), text.size());
      else if (text.substr(at, 2) == "/*")
        at = std::min(text.find("*/", at + 2), text.size() - 2) + 2;
      else
        return;
    }
  }

  std::string_view text;
  size_t at = 0;
};

/// Bytes of a scalar type such as ".u64"; 0 for another word.
uint32_t typeBytes(std::string_view word) {
  if (word.size() < 3 || word[0] != '.' || std::string_view("bufs").find(word[1]) == std::string_view::npos)
    return 0;
  std::string_view bits = word.substr(2);
  return bits == "8" ? 1 : bits == "16" ? 2 : bits == "32" ? 4 : bits == "64" ? 8 : bits == "128" ? 16 : 0;
}

/// One parameter, up to its comma or parenthesis: `.param .u64 .ptr .global .align 16 name`, `.param .b8
/// name[64]`. Returns the word that ended it.
std::string_view readParameter(Words &words, std::string_view word, Parameter &parameter) {
  std::string_view type;
  bool isPointer = false;
  for (; !word.empty() && word != "," && word != ")"; word = words.next()) {
    if (uint32_t bytes = typeBytes(word)) {
      type = word;
      parameter.bytes = bytes;
    } else if (word == ".ptr") {
      isPointer = true;
    } else if (word == "[") {
      std::string_view count = words.next();
      uint32_t elements = 0;
      std::from_chars(count.data(), count.data() + count.size(), elements);
      parameter.bytes *= elements;
      type = {}; // an array is passed as bytes
    }
  }
  if (isPointer)
    parameter.kind = ArgumentKind::Pointer;
  else if (type == ".f32")
    parameter.kind = ArgumentKind::F32;
  else if (type == ".u32" || type == ".s32")
    parameter.kind = ArgumentKind::I32;
  return word;
}

struct Release {
  int cuda;
  const char *ptx;
};
/// PTX ISA, "Release Notes": the first CUDA with each version of PTX.
constexpr Release releases[] = {{11000, "7.0"}, {11010, "7.1"}, {11020, "7.2"}, {11030, "7.3"},
                                {11040, "7.4"}, {11050, "7.5"}, {11060, "7.6"}, {11070, "7.7"},
                                {11080, "7.8"}, {12000, "8.0"}, {12010, "8.1"}, {12020, "8.2"},
                                {12030, "8.3"}, {12040, "8.4"}, {12050, "8.5"}, {12070, "8.6"},
                                {12080, "8.7"}, {12090, "8.8"}, {13000, "9.0"}};

} // namespace

std::optional<PtxSummary> summarisePtx(std::string_view text) {
  Words words(text);
  if (words.next() != ".version")
    return std::nullopt;
  PtxSummary summary;
  summary.version = words.next();
  for (std::string_view word = words.next(); !word.empty();) {
    if (word == ".target") {
      summary.target = words.next();
    } else if (word == ".entry") {
      std::string name(words.next());
      KernelSignature signature;
      word = words.next();
      if (word == "(") {
        word = words.next();
        while (word == ".param") {
          Parameter &parameter = signature.parameters.emplace_back();
          word = readParameter(words, words.next(), parameter);
          if (word == ",")
            word = words.next();
        }
        if (word != ")")
          continue; // not understood: left to the driver
      }
      summary.kernels.emplace(std::move(name), std::move(signature));
      continue;
    }
    word = words.next();
  }
  return summary;
}

std::string newestPtx(int cudaVersion) {
  if (cudaVersion > std::end(releases)[-1].cuda)
    return {};
  std::string newest;
  for (const Release &release : releases)
    if (release.cuda <= cudaVersion)
      newest = release.ptx;
  return newest;
}

std::string cudaForPtx(const std::string &version) {
  for (const Release &release : releases)
    if (version == release.ptx)
      return versionText(release.cuda);
  return {};
}

} // namespace quern::runtime::cuda
