//===- CheckpointTokenizer.h - The tokenizer beside a checkpoint ----------===//
#ifndef QUERN_TOOLS_QUERN_CHECKPOINTTOKENIZER_H
#define QUERN_TOOLS_QUERN_CHECKPOINTTOKENIZER_H

#include "runtime/text/Tokenizer.h"

#include <optional>
#include <string>

namespace quern::tools {

/// tokenizer.json of |directory|; nothing where there is none. Errors of the tokenizer's reader.
Expected<std::optional<runtime::Tokenizer>> readCheckpointTokenizer(const std::string &directory);

} // namespace quern::tools

#endif // QUERN_TOOLS_QUERN_CHECKPOINTTOKENIZER_H
