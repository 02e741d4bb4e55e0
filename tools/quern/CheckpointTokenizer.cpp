//===- CheckpointTokenizer.cpp --------------------------------------------===//
#include "tools/quern/CheckpointTokenizer.h"
#include "support/Files.h"

#include <unistd.h>

namespace quern::tools {

Expected<std::optional<runtime::Tokenizer>> readCheckpointTokenizer(const std::string &directory) {
  const std::string path = directory + "/tokenizer.json";
  if (access(path.c_str(), F_OK) != 0)
    return std::optional<runtime::Tokenizer>();
  QUERN_ASSIGN_OR_RETURN(std::string text, readFile(path, runtime::Tokenizer::maxFileBytes));
  QUERN_ASSIGN_OR_RETURN(runtime::Tokenizer tokenizer, runtime::Tokenizer::read(text, path));
  return std::optional(std::move(tokenizer));
}

} // namespace quern::tools
