//===- PtxParser.cpp - Reads PTX text -------------------------------------===//

#include "runtime/emulated/nvidia/PtxParser.h"

#include "runtime/emulated/nvidia/PtxReader.h"

#include <cstdlib>

namespace quern::runtime::emulated::nvidia {

Expected<std::unique_ptr<Module>> PtxReader::run() {
  while (!peek().is("") && peek().kind != Token::End) {
    if (Status status = topLevel(); !status.ok())
      return status;
  }
  if (!sawVersion || module->target.empty())
    return error("the PTX text has no .version and .target line");
  return std::move(module);
}

Status PtxReader::error(std::string sentence) const {
  const Token &token = peek();
  std::string seen = token.kind == Token::End ? "the end of the text" : "`" + std::string(token.text) + "`";
  return Status::error(Exit::BadInput, "E-EMULATED-CODE", std::move(sentence))
      .cause("line " + std::to_string(token.line) + " of the PTX text, at " + seen);
}

Status PtxReader::expect(char c) {
  if (accept(c))
    return Status::success();
  return error(std::string("expected `") + c + "`");
}

Status PtxReader::skipTo(char end) {
  while (!peek().is(end)) {
    if (peek().kind == Token::End)
      return error(std::string("expected `") + end + "`");
    take();
  }
  take();
  return Status::success();
}

Status PtxReader::skipBraces() {
  QUERN_RETURN_IF_ERROR(expect('{'));
  for (unsigned depth = 1; depth;) {
    if (peek().kind == Token::End)
      return error("expected `}`");
    depth += peek().is('{');
    depth -= peek().is('}');
    take();
  }
  return Status::success();
}

Expected<uint64_t> PtxReader::integer() {
  bool negative = accept('-');
  if (peek().kind != Token::Integer)
    return error("expected an integer");
  uint64_t value = take().value;
  return negative ? 0 - value : value;
}

Status PtxReader::topLevel() {
  const Token &token = peek();
  if (token.kind != Token::Word || token.text[0] != '.')
    return error("expected a directive");
  std::string_view word = token.text;
  if (word == ".version")
    return version();
  if (word == ".target") {
    take();
    module->target = std::string(take().text);
    while (accept(','))
      take();
    return Status::success();
  }
  if (word == ".address_size") {
    take();
    QUERN_ASSIGN_OR_RETURN(uint64_t size, integer());
    return size == 64 ? Status::success() : error("only 64-bit addresses are supported");
  }
  if (word == ".file")
    return file();
  if (word == ".section") {
    take();
    take();
    return skipBraces();
  }
  if (word == ".pragma" || word == ".alias")
    return skipTo(';');
  if (word == ".loc")
    return location();
  return declaration();
}

Status PtxReader::version() {
  take();
  if (peek().kind != Token::Float)
    return error("expected a version number");
  std::string number(take().text);
  size_t dot = number.find('.');
  if (dot == std::string::npos)
    return error("expected a version number");
  module->versionMajor = static_cast<uint32_t>(std::strtoul(number.c_str(), nullptr, 10));
  module->versionMinor = static_cast<uint32_t>(std::strtoul(number.c_str() + dot + 1, nullptr, 10));
  sawVersion = true;
  return Status::success();
}

Status PtxReader::file() {
  take();
  QUERN_ASSIGN_OR_RETURN(uint64_t number, integer());
  if (peek().kind != Token::String || number > 65536)
    return error("expected a file number and a file name");
  std::string_view name = take().text;
  if (module->files.size() <= number)
    module->files.resize(number + 1);
  if (name.size() >= 2)
    module->files[number] = std::string(name.substr(1, name.size() - 2));
  while (accept(',')) {
    QUERN_ASSIGN_OR_RETURN([[maybe_unused]] uint64_t ignored, integer());
  }
  return Status::success();
}

Status PtxReader::location() {
  take();
  QUERN_ASSIGN_OR_RETURN(uint64_t file, integer());
  QUERN_ASSIGN_OR_RETURN(uint64_t line, integer());
  QUERN_ASSIGN_OR_RETURN([[maybe_unused]] uint64_t column, integer());
  sourceFile = static_cast<uint32_t>(file);
  sourceLine = static_cast<uint32_t>(line);
  while (peek().is(',') && peek(1).kind == Token::Word) {
    take();
    if (take().text == "inlined_at") {
      for (int i = 0; i < 3; ++i) {
        QUERN_ASSIGN_OR_RETURN([[maybe_unused]] uint64_t part, integer());
      }
    } else {
      take();
      if (accept('+'))
        take();
    }
  }
  return Status::success();
}

Status PtxReader::declaration() {
  bool isExtern = false;
  while (peek().is(".visible") || peek().is(".extern") || peek().is(".weak") || peek().is(".common"))
    isExtern |= take().text == ".extern";
  if (peek().is(".entry") || peek().is(".func"))
    return functionDeclaration();
  if (auto space = spaceOf(peek().text)) {
    take();
    return variables(*space, isExtern, module->variables, nullptr);
  }
  return error("unknown directive");
}

Expected<std::unique_ptr<Module>> parsePtx(std::string_view text) {
  if (text.size() > (uint64_t(1) << 31))
    return Status::error(Exit::BadInput, "E-EMULATED-CODE", "the PTX text is larger than 2 GiB");
  return PtxReader(text).run();
}

} // namespace quern::runtime::emulated::nvidia
