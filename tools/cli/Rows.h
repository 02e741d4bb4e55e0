//===- Rows.h - Reports as rows: csv, md, jsonl ---------------------------===//
#ifndef QUERN_TOOLS_CLI_ROWS_H
#define QUERN_TOOLS_CLI_ROWS_H

#include "support/Json.h"
#include "tools/cli/Program.h"

namespace quern::tools {

/// |rows| are objects; their members are the columns, in the order in which they first appear. A member that a
/// row lacks is empty; a list of scalars is its items with blanks between.
///
///   csv    a line of names, then a line for each row; fields are quoted where RFC 4180 asks for it
///   md     a table
///   jsonl  {"event":"start","schema":...,"schema_version":1}, {"event":"result",...} for each row,
///          {"event":"end","rows":n}
///
/// |format| is one of these three.
std::string rowsText(std::string_view schema, const std::vector<Json> &rows, OutputFormat format);

/// True for the formats that `rowsText` makes.
constexpr bool isRows(OutputFormat format) { return format >= OutputFormat::Jsonl; }

} // namespace quern::tools

#endif // QUERN_TOOLS_CLI_ROWS_H
