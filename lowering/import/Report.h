//===- Report.h - What `quern import` prints ----------------------------------===//
//
// The census as text for people and as JSON for programs. The JSON has `schema` "quern.import" and
// `schema_version` 1.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_REPORT_H
#define QUERN_LOWERING_IMPORT_REPORT_H

#include "lowering/import/MemoryPlan.h"

namespace quern::import {

/// Model and family, counts, census, memory plans, notes and faults; ends in a newline. |everyTensor| lists
/// each tensor with its fate, otherwise only unknown and missing ones and a line for each reason to ignore.
std::string importText(const ImportedModel &model, const std::vector<MemoryPlan> &plans,
                       bool everyTensor = false);

Json importJson(const ImportedModel &model, const std::vector<MemoryPlan> &plans, bool everyTensor = false);

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_REPORT_H
