//===- SourceTree.h - The files of this repository, as text ---------------===//
#ifndef QUERN_TESTS_HYGIENE_SOURCETREE_H
#define QUERN_TESTS_HYGIENE_SOURCETREE_H

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace quern::hygiene {

struct SourceFile {
  std::string path; ///< relative to the root, with slashes
  std::string text;
  /// `text` with comments blanked out, lines kept; of C++ and TableGen files.
  std::string code;
};

/// All text files of the repository but build folders and what begins with a dot; sorted by path.
const std::vector<SourceFile> &sourceTree();

bool isCpp(std::string_view path);
/// Unit tests, fuzz targets, benchmarks and their data stand beside the code but may include anything.
bool isTest(std::string_view path);

struct Include {
  int line;
  std::string path;
};
std::vector<Include> includesOf(const SourceFile &file);

/// Words of |code| in lower case: identifiers are taken apart at underscores, digits and capitals.
std::vector<std::pair<int, std::string>> wordsOf(std::string_view code);

/// Ids ("E-...") in string literals of |code|, with the name behind `Exit::` where it stands right before.
struct IdUse {
  std::string id, exit;
  int line;
};
std::vector<IdUse> idsOf(std::string_view code);

} // namespace quern::hygiene

#endif // QUERN_TESTS_HYGIENE_SOURCETREE_H
