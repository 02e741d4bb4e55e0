//===- FamilyLibrary.h - The descriptions that ship, and a user's own ------===//
//
// The files of lowering/import/families are embedded in the program as text. A user's `--family FILE` is read
// by the same functions and may extend an embedded one.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_FAMILYLIBRARY_H
#define QUERN_LOWERING_IMPORT_FAMILYLIBRARY_H

#include "lowering/import/Family.h"

#include <span>

namespace quern::import {

struct EmbeddedFamily {
  std::string_view name; ///< file name without `.json`
  std::string_view path; ///< "lowering/import/families/<name>.json"
  std::string_view text;
};

/// Sorted by name.
std::span<const EmbeddedFamily> embeddedFamilies();

/// Names of the embedded families that describe models (a base for others, which has no `matches`, is left
/// out).
std::vector<std::string> familyNames();

/// Parses |text|, merging what it `extends`. Exit::BadInput "E-FAMILY-FORMAT" and what parseFamily answers.
Expected<Family> loadFamily(std::string_view text, const std::string &origin);
Expected<Family> loadEmbeddedFamily(std::string_view name);
Expected<Family> loadFamilyFile(const std::string &path);

/// The family for a config.json: the one in |file| where that is not empty (Exit::BadInput
/// "E-FAMILY-MISMATCH" if it does not describe this model type), else the embedded one. Exit::Unsupported
/// "E-FAMILY-UNKNOWN", "E-FAMILY-ARCHITECTURE".
Expected<Family> findFamily(const JsonRef &config, const std::string &file = {});

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_FAMILYLIBRARY_H
