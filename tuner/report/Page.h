//===- Page.h - The report of a comparison, one HTML file -----------------===//
//
// The page holds all that it shows: no script, no font, no picture from elsewhere; it opens from a disk
// without a network. Drawings are inline SVG, and colours follow the reader's choice of light or dark.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_REPORT_PAGE_H
#define QUERN_TUNER_REPORT_PAGE_H

#include "tuner/report/Ledger.h"
#include "tuner/report/Modelled.h"

namespace quern::report {

/// |command| is what makes the report again.
std::string comparisonPage(const Comparison &comparison, const Ledger &ledger, const std::string &command);

/// Two targets without hardware: nothing in it is measured, which every heading says.
std::string modelledPage(const ModelledComparison &comparison, const std::string &command);

} // namespace quern::report

#endif // QUERN_TUNER_REPORT_PAGE_H
