//===- Exchange.h - Databases with one another, and with text -------------===//
//
// Merging takes what is not there yet, by the keys of the records: it may be repeated, it may be interrupted,
// and the order of the sources does not matter. The text form has one JSON object a line, in the order of the
// keys, so that two exports can be compared and reviewed as text.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_DATABASE_EXCHANGE_H
#define QUERN_TUNER_DATABASE_EXCHANGE_H

#include "tuner/database/Database.h"
#include "tuner/database/Lookup.h"

namespace quern::tuner {

/// Records that a source has, and how many of them were new.
struct MergeCounts {
  uint64_t measurements = 0, decisions = 0, seeds = 0;
  uint64_t fresh = 0;
};

/// Takes everything of |from| into |into|: one transaction, all or nothing.
Expected<MergeCounts> mergeInto(Database &into, const Database &from);

/// A head, then a line for each record. Equal contents give equal bytes.
Expected<std::string> exportLines(const Database &database);
/// What `exportLines` wrote, in one transaction; |name| stands in messages. Exit::BadInput
/// "E-DATABASE-RECORD" and the errors of Json.h with the number of the line.
Expected<MergeCounts> importLines(Database &into, std::string_view text, const std::string &name);

/// A family on a device, for a bucket of rows, for which two databases choose differently.
struct Difference {
  Problem problem;
  DeviceIdentity device;
  Toolchain toolchain;
  std::optional<std::string> before, after; ///< configurations; absent: the default
  std::string whyBefore, whyAfter;
  Ratio ratioBefore, ratioAfter; ///< to the default
};
/// In the order of families, devices, toolchains and ranges.
std::vector<Difference> differences(const Lookup &before, const Lookup &after);

} // namespace quern::tuner

#endif // QUERN_TUNER_DATABASE_EXCHANGE_H
