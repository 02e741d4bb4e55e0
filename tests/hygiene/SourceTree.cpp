//===- SourceTree.cpp -----------------------------------------------------===//
#include "tests/hygiene/SourceTree.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace fs = std::filesystem;

namespace quern::hygiene {

bool isCpp(std::string_view path) {
  for (std::string_view end : {".h", ".cpp", ".inc", ".def", ".td", ".c"})
    if (path.ends_with(end))
      return true;
  return false;
}

bool isTest(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  for (std::string_view end : {"Test.cpp", "Test.h", "Fuzz.cpp", "Bench.cpp", "Benchmark.cpp"})
    if (name.ends_with(end))
      return true;
  return path.starts_with("tests/") || name.starts_with("Test") || name == "TinyArtifact.h" ||
         name == "ScratchDirectory.h" || name == "CorpusRunner.cpp";
}

/// Comments become blanks; string and character literals stay.
static std::string withoutComments(const std::string &text) {
  std::string out = text;
  enum { Code, Line, Block, String, Char, Raw } state = Code;
  std::string rawEnd;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i], next = i + 1 < text.size() ? text[i + 1] : 0;
    switch (state) {
    case Code:
      if (c == '/' && next == '/') {
        state = Line;
        out[i] = ' ';
      } else if (c == '/' && next == '*') {
        state = Block;
        out[i] = ' ';
      } else if (c == 'R' && next == '"') {
        size_t open = text.find('(', i);
        rawEnd = open == std::string::npos ? "\"" : ")" + text.substr(i + 2, open - i - 2) + "\"";
        state = Raw;
        ++i;
      } else if (c == '"') {
        state = String;
      } else if (c == '\'' && (i == 0 || !std::isalnum(static_cast<unsigned char>(text[i - 1])))) {
        state = Char; // a quote between digits separates them
      }
      break;
    case Line:
      if (c == '\n')
        state = Code;
      else
        out[i] = ' ';
      break;
    case Block:
      if (c == '*' && next == '/') {
        out[i] = out[i + 1] = ' ';
        ++i;
        state = Code;
      } else if (c != '\n') {
        out[i] = ' ';
      }
      break;
    case String:
    case Char:
      if (c == '\\')
        ++i;
      else if (c == (state == String ? '"' : '\'') || c == '\n')
        state = Code;
      break;
    case Raw:
      if (text.compare(i, rawEnd.size(), rawEnd) == 0) {
        i += rawEnd.size() - 1;
        state = Code;
      }
      break;
    }
  }
  return out;
}

const std::vector<SourceFile> &sourceTree() {
  static const std::vector<SourceFile> files = [] {
    std::vector<SourceFile> found;
    const fs::path root = QUERN_SOURCE_DIR;
    for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator(); ++it) {
      const std::string name = it->path().filename().string();
      if (it->is_directory() && (name.starts_with(".") || (it.depth() == 0 && name.starts_with("build")))) {
        it.disable_recursion_pending();
        continue;
      }
      if (!it->is_regular_file() || name.starts_with("."))
        continue;
      std::ifstream in(it->path(), std::ios::binary);
      std::ostringstream text;
      text << in.rdbuf();
      SourceFile file{fs::relative(it->path(), root).generic_string(), text.str(), {}};
      if (file.text.find('\0') != std::string::npos)
        continue;
      if (isCpp(file.path))
        file.code = withoutComments(file.text);
      found.push_back(std::move(file));
    }
    std::sort(found.begin(), found.end(), [](const auto &a, const auto &b) { return a.path < b.path; });
    return found;
  }();
  return files;
}

static int lineAt(std::string_view text, size_t offset) {
  return int(std::count(text.begin(), text.begin() + ptrdiff_t(offset), '\n')) + 1;
}

std::vector<Include> includesOf(const SourceFile &file) {
  static const std::regex pattern("#\\s*include\\s*[\"<]([^\">]+)[\">]");
  std::vector<Include> includes;
  for (auto it = std::sregex_iterator(file.code.begin(), file.code.end(), pattern);
       it != std::sregex_iterator(); ++it)
    includes.push_back({lineAt(file.code, size_t(it->position())), (*it)[1].str()});
  return includes;
}

std::vector<std::pair<int, std::string>> wordsOf(std::string_view code) {
  std::vector<std::pair<int, std::string>> words;
  std::string word;
  int line = 1;
  auto end = [&] {
    if (!word.empty())
      words.push_back({line, word});
    word.clear();
  };
  for (size_t i = 0; i < code.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(code[i]);
    if (!std::isalpha(c)) {
      end();
      line += c == '\n';
      continue;
    }
    const bool upper = std::isupper(c),
               previousLower = i > 0 && std::islower(static_cast<unsigned char>(code[i - 1]));
    const bool nextLower = i + 1 < code.size() && std::islower(static_cast<unsigned char>(code[i + 1]));
    if (upper && (previousLower || (nextLower && !word.empty())))
      end();
    word += static_cast<char>(std::tolower(c));
  }
  end();
  return words;
}

std::vector<IdUse> idsOf(std::string_view code) {
  static const std::regex pattern("(?:Exit::(\\w+)\\s*,\\s*)?\"(E-[A-Z0-9]+(?:-[A-Z0-9]+)*)\"");
  std::vector<IdUse> uses;
  const std::string text(code);
  for (auto it = std::sregex_iterator(text.begin(), text.end(), pattern); it != std::sregex_iterator(); ++it)
    uses.push_back({(*it)[2].str(), (*it)[1].str(), lineAt(text, size_t(it->position()))});
  return uses;
}

} // namespace quern::hygiene
