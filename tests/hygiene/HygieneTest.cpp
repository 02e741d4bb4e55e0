//===- HygieneTest.cpp - Rules of the tree, read from its files -----------===//
//
// The rules are data in rooms.json. Each failure names the file, the line and the rule.
//
//===----------------------------------------------------------------------===//
#include "support/Files.h"
#include "support/Json.h"
#include "tests/hygiene/SourceTree.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <regex>
#include <set>

using namespace quern;
using namespace quern::hygiene;

namespace {

const Json &rules() {
  static const JsonDocument document = [] {
    Expected<JsonDocument> read = readJsonFile(QUERN_SOURCE_DIR "/tests/hygiene/rooms.json");
    if (!read.ok()) {
      ADD_FAILURE() << read.error().message();
      std::exit(1);
    }
    return *std::move(read);
  }();
  return document.value();
}

bool holds(const Json *list, std::string_view text) {
  for (const Json &item : list ? list->items() : std::vector<Json>())
    if (item.string() == text || item.string() == "*")
      return true;
  return false;
}

/// The key of |object| that |path| begins with, the longest one; whole folders unless |files|.
std::string longestPrefix(const Json &object, std::string_view path) {
  std::string best;
  for (const Json::Member &member : object.members()) {
    const std::string &key = member.key;
    const bool whole =
        path.size() > key.size() && (path[key.size()] == '/' || key.find('.') != std::string::npos ||
                                     std::isupper(static_cast<unsigned char>(key[key.rfind('/') + 1])));
    if (path.starts_with(key) && (whole || path == key) && key.size() > best.size())
      best = key;
  }
  return best;
}

std::string roomOf(std::string_view path) { return longestPrefix(*rules().find("rooms"), path); }

const SourceFile *findFile(std::string_view path) {
  for (const SourceFile &file : sourceTree())
    if (file.path == path)
      return &file;
  return nullptr;
}

/// The package that |include| is of; empty for one that no rule is about.
std::string packageOf(std::string_view include) {
  for (const Json &package : rules().find("packages")->items())
    if (include.starts_with(package.string()))
      return package.string();
  return "";
}

TEST(Hygiene, readsTheTree) {
  ASSERT_GT(sourceTree().size(), 300u);
  ASSERT_TRUE(findFile("support/Status.h"));
}

TEST(Hygiene, commentsAreNoCode) {
  const SourceFile *file = findFile("support/Status.h");
  ASSERT_TRUE(file);
  EXPECT_NE(file->text.find("what was observed"), std::string::npos);
  EXPECT_EQ(file->code.find("what was observed"), std::string::npos);
  EXPECT_NE(file->code.find("class [[nodiscard]] Status"), std::string::npos);
}

TEST(Hygiene, wordsAreTakenApart) {
  std::vector<std::string> words;
  for (const auto &[line, word] : wordsOf("makeFooLowering PTXVersion relation_ship x86"))
    words.push_back(word);
  EXPECT_EQ(words,
            (std::vector<std::string>{"make", "foo", "lowering", "ptx", "version", "relation", "ship", "x"}));
}

/// The dependency table: a room includes itself and what is listed.
TEST(Hygiene, roomsIncludeWhatTheyMay) {
  for (const SourceFile &file : sourceTree()) {
    if (!isCpp(file.path))
      continue;
    const std::string room = roomOf(file.path);
    EXPECT_FALSE(room.empty()) << file.path << ": its folder has no row in tests/hygiene/rooms.json";
    if (room.empty() || isTest(file.path))
      continue;
    const Json &row = *rules().find("rooms")->find(room);
    for (const Include &include : includesOf(file)) {
      const std::string at = file.path + ":" + std::to_string(include.line);
      if (findFile(include.path) || !roomOf(include.path).empty()) {
        const std::string other = roomOf(include.path);
        EXPECT_TRUE(other == room || holds(row.find("include"), other) ||
                    holds(row.find("include"), include.path))
            << at << ": the room `" << room << "` may not include `" << include.path << "`";
        EXPECT_FALSE(include.path.starts_with("tests/") && room != "tests")
            << at << ": nothing but tests may include tests";
        continue;
      }
      const std::string package = packageOf(include.path);
      EXPECT_TRUE(package.empty() || holds(row.find("packages"), package))
          << at << ": the room `" << room << "` may not use the package `" << package << "`";
    }
  }
}

/// What may be included without MLIR, with everything behind it.
TEST(Hygiene, facadesAreFreeOfMlir) {
  for (const Json &facade : rules().find("free_of_mlir")->find("files")->items()) {
    std::set<std::string> seen;
    std::function<void(const std::string &)> visit = [&](const std::string &path) {
      if (!seen.insert(path).second)
        return;
      const SourceFile *file = findFile(path);
      ASSERT_TRUE(file) << path << ": no such file, but rooms.json or an include names it";
      for (const Include &include : includesOf(*file)) {
        const std::string package = packageOf(include.path);
        EXPECT_FALSE(package.starts_with("mlir") || package.starts_with("llvm"))
            << facade.string() << " includes " << include.path << " through " << path;
        if (findFile(include.path))
          visit(include.path);
      }
    };
    visit(facade.string());
  }
}

TEST(Hygiene, vendorsStandInTheirFolders) {
  const Json &rule = *rules().find("vendor_words");
  std::set<std::string> words;
  for (const Json &word : rule.find("words")->items())
    words.insert(word.string());
  std::set<std::string> used;
  for (const SourceFile &file : sourceTree()) {
    if (!isCpp(file.path) && !file.path.starts_with("kernels/"))
      continue;
    std::string allowed;
    for (const Json::Member &member : rule.find("allowed")->members())
      if (file.path.starts_with(member.key))
        allowed = member.key;
    if (isTest(file.path))
      continue;
    for (const auto &[line, word] : wordsOf(isCpp(file.path) ? file.code : file.text)) {
      if (!words.count(word))
        continue;
      used.insert(allowed);
      EXPECT_FALSE(allowed.empty()) << file.path << ":" << line << ": the vendor word `" << word
                                    << "` stands outside of the folders and tables for vendors";
    }
  }
}

/// The list `matches.KEY` of a family.
std::optional<JsonRef> matchOf(JsonRef family, std::string_view key) {
  std::optional<JsonRef> matches = family.find("matches");
  return matches ? matches->find(key) : std::nullopt;
}

/// Families are data (docs/Families.md): no model type and no architecture stands in C++.
TEST(Hygiene, noFamilyStandsInCode) {
  std::set<std::string> names;
  for (const SourceFile &file : sourceTree()) {
    if (!file.path.starts_with("lowering/import/families/") || !file.path.ends_with(".json"))
      continue;
    Expected<JsonDocument> family = parseJson(file.text, {.name = file.path});
    ASSERT_TRUE(family.ok()) << family.error().message();
    for (const char *key : {"model_type", "architectures"})
      if (std::optional<JsonRef> list = matchOf(family->root(), key))
        for (const Json &name : list->value().isArray() ? list->value().items() : std::vector<Json>())
          names.insert(name.string());
  }
  ASSERT_GE(names.size(), 6u);
  for (const SourceFile &file : sourceTree())
    if (isCpp(file.path) && !isTest(file.path))
      for (const std::string &name : names)
        EXPECT_EQ(file.code.find("\"" + name + "\""), std::string::npos)
            << file.path << ": the family `" << name << "` stands in code";
}

TEST(Hygiene, filesAreOfReadableLength) {
  const Json &budget = *rules().find("budget");
  for (const SourceFile &file : sourceTree()) {
    const Json *limits = budget.find(file.path.substr(std::min(file.path.rfind('.'), file.path.size() - 1)));
    bool generated = false;
    for (const Json &path : budget.find("generated")->items())
      generated |= file.path.starts_with(path.string());
    if (!limits || generated)
      continue;
    const auto lines = std::count(file.text.begin(), file.text.end(), '\n');
    const bool reason = file.text.substr(0, 2000).find("line budget") != std::string::npos;
    if (lines > limits->items()[0].integer() && !reason)
      std::fprintf(stderr, "warning: %s has %lld lines, more than the budget of %lld\n", file.path.c_str(),
                   static_cast<long long>(lines), static_cast<long long>(limits->items()[0].integer()));
    EXPECT_FALSE(lines > limits->items()[1].integer() && !reason)
        << file.path << " has " << lines
        << " lines: split it by noun, or give the reason in its first comment";
  }
}

TEST(Hygiene, namesSayWhatFilesAreFor) {
  static const std::regex bad("(^|/)[^/]*(Utils?|Helpers?|Common)\\.[a-z]+$");
  for (const SourceFile &file : sourceTree())
    EXPECT_FALSE(std::regex_search(file.path, bad)) << file.path << ": a helper belongs to a noun";
}

TEST(Hygiene, noPathOfAMachine) {
  const std::string homes[] = {"/ho"
                               "me/",
                               "/ro"
                               "ot/",
                               "/Us"
                               "ers/",
                               std::string(QUERN_SOURCE_DIR) + "/"};
  for (const SourceFile &file : sourceTree())
    for (const std::string &home : homes)
      EXPECT_EQ(file.text.find(home), std::string::npos) << file.path << ": a path of one machine, " << home;
}

/// Links of our pages to files of this repository.
TEST(Hygiene, linksLeadSomewhere) {
  static const std::regex link("\\]\\(([^)#: ]+)[^)]*\\)");
  size_t followed = 0;
  for (const SourceFile &file : sourceTree()) {
    if (!file.path.ends_with(".md"))
      continue;
    const std::filesystem::path folder = (std::filesystem::path(QUERN_SOURCE_DIR) / file.path).parent_path();
    for (auto it = std::sregex_iterator(file.text.begin(), file.text.end(), link);
         it != std::sregex_iterator(); ++it) {
      ++followed;
      EXPECT_TRUE(std::filesystem::exists(folder / (*it)[1].str()))
          << file.path << ": no file `" << (*it)[1] << "`";
    }
  }
  EXPECT_GT(followed, 20u);
}

struct Documented {
  std::string exit;
  int line;
};

/// Rows "| `E-ID` | 3 | meaning |" of docs/Diagnostics.md.
std::map<std::string, Documented> documentedIds() {
  static const std::regex row("^\\| `(E-[A-Z0-9-]+)` \\| ([0-9, ]+) \\| .{10,} \\|$");
  std::map<std::string, Documented> ids;
  const SourceFile *page = findFile("docs/Diagnostics.md");
  if (!page)
    return ids;
  std::istringstream lines(page->text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::smatch match;
    if (std::regex_match(line, match, row)) {
      EXPECT_FALSE(ids.count(match[1].str()))
          << "docs/Diagnostics.md:" << number << ": " << match[1] << " twice";
      ids[match[1].str()] = {match[2].str(), number};
    }
  }
  return ids;
}

std::string exitCode(const std::string &name) {
  static const std::map<std::string, Exit> codes = {
      {"Unexpected", Exit::Unexpected}, {"Usage", Exit::Usage},
      {"BadInput", Exit::BadInput},     {"Unsupported", Exit::Unsupported},
      {"NoDevice", Exit::NoDevice},     {"CompileFailed", Exit::CompileFailed},
      {"GateFailed", Exit::GateFailed}, {"NumericCheckFailed", Exit::NumericCheckFailed},
      {"Partial", Exit::Partial},       {"Resource", Exit::Resource},
      {"Timeout", Exit::Timeout},       {"Interrupted", Exit::Interrupted}};
  auto it = codes.find(name);
  return it == codes.end() ? "" : std::to_string(int(it->second));
}

TEST(Hygiene, everyErrorIdIsDocumented) {
  const std::map<std::string, Documented> ids = documentedIds();
  std::set<std::string> used;
  for (const SourceFile &file : sourceTree()) {
    if (!isCpp(file.path) || isTest(file.path))
      continue;
    for (const IdUse &use : idsOf(file.code)) {
      used.insert(use.id);
      auto it = ids.find(use.id);
      EXPECT_TRUE(it != ids.end()) << file.path << ":" << use.line << ": " << use.id
                                   << " has no row in docs/Diagnostics.md";
      if (it == ids.end())
        continue;
      const std::string code = exitCode(use.exit);
      EXPECT_TRUE(
          code.empty() ||
          ("," + std::regex_replace(it->second.exit, std::regex(" "), "") + ",").find("," + code + ",") !=
              std::string::npos)
          << file.path << ":" << use.line << ": " << use.id << " ends with exit code " << code
          << ", but docs/Diagnostics.md says " << it->second.exit;
    }
  }
  for (const auto &[id, row] : ids)
    EXPECT_TRUE(used.count(id)) << "docs/Diagnostics.md:" << row.line << ": nothing reports " << id;
}

TEST(Hygiene, everyErrorIdIsTested) {
  const Json &exempt = *rules().find("untested_ids");
  std::string tests;
  for (const SourceFile &file : sourceTree())
    if (isTest(file.path) && !file.path.starts_with("tests/hygiene/"))
      tests += file.text;
  for (const SourceFile &file : sourceTree())
    if (isCpp(file.path) && !isTest(file.path))
      for (const IdUse &use : idsOf(file.code)) {
        // Tests of a group may spell the end of an id only.
        const std::string end = "\"" + use.id.substr(use.id.find('-', 2) + 1) + "\"";
        bool tested = tests.find(use.id) != std::string::npos || tests.find(end) != std::string::npos;
        EXPECT_TRUE(tested || exempt.find(use.id))
            << file.path << ":" << use.line << ": no test mentions " << use.id;
        EXPECT_FALSE(tested && exempt.find(use.id))
            << "tests/hygiene/rooms.json: " << use.id << " is exempt, but a test mentions it";
      }
}

TEST(Hygiene, everyTodoNamesItsIssue) {
  static const std::regex todo("\\b(TO"
                               "DO|FIX"
                               "ME|X"
                               "XX)\\b(?!.*issue [0-9]+)");
  for (const SourceFile &file : sourceTree()) {
    std::istringstream lines(file.text);
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      EXPECT_FALSE(isCpp(file.path) && std::regex_search(line, todo))
          << file.path << ":" << number << ": " << line;
    }
  }
}

} // namespace
