//===- PtxMutants.cpp - One fault each in the text of a kernel ------------===//
#include "tests/emulated/Mutants.h"

#include "runtime/emulated/nvidia/PtxParser.h"

#include <cctype>

using namespace quern::runtime::emulated::nvidia;

namespace quern::test {
namespace {

/// The text, by lines, so that one statement can be replaced.
class PtxText {
public:
  explicit PtxText(std::string text) : text(std::move(text)) {
    begins.push_back(0);
    for (size_t i = 0; i < this->text.size(); ++i)
      if (this->text[i] == '\n')
        begins.push_back(i + 1);
  }

  /// Where the statement that begins with |opcode| on or behind |line| lies: [begin, end) with its guard and
  /// semicolon.
  bool find(uint32_t line, const std::string &opcode, size_t &begin, size_t &end) const {
    if (line == 0 || line > begins.size())
      return false;
    size_t at = begins[line - 1];
    // A word of its own, not the end of another.
    do
      at = text.find(opcode, at + 1);
    while (at != std::string::npos && (!isBreak(text[at - 1]) || !isBreak(text[at + opcode.size()])));
    if (at == std::string::npos)
      return false;
    begin = at;
    // A guard stands before the opcode on the same line.
    size_t guard = text.find_last_of("@;\n{}", at);
    if (guard != std::string::npos && text[guard] == '@')
      begin = guard;
    end = text.find(';', at);
    if (end == std::string::npos)
      return false;
    ++end;
    return true;
  }
  std::string statement(size_t begin, size_t end) const { return text.substr(begin, end - begin); }
  std::vector<std::byte> with(size_t begin, size_t end, const std::string &other) const {
    std::string changed = text.substr(0, begin) + other + text.substr(end);
    auto bytes = std::as_bytes(std::span(changed));
    return {bytes.begin(), bytes.end()};
  }

private:
  static bool isBreak(char c) {
    return !isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '%' && c != '$';
  }

  std::string text;
  std::vector<size_t> begins;
};

/// "wait", "barrier" or "fence" where deleting |in| takes away order, else empty.
std::string kindOfOrder(const Instruction &in) {
  if (in.opcode == "bar" || in.opcode == "barrier")
    return "barrier";
  if (in.opcode == "fence" || in.opcode == "membar")
    return "fence";
  if (in.opcode == "mbarrier" && (in.has("try_wait") || in.has("test_wait")))
    return "wait";
  if (in.opcode == "mbarrier" && (in.has("arrive") || in.has("expect_tx") || in.has("complete_tx")))
    return "barrier";
  if (in.opcode == "cp" && (in.has("wait_group") || in.has("wait_all")))
    return "wait";
  if (in.opcode == "cp" && (in.has("commit_group") || in.has("mbarrier")))
    return "barrier";
  if (in.opcode == "wgmma" && in.has("wait_group"))
    return "wait";
  if (in.opcode == "wgmma" && (in.has("fence") || in.has("commit_group")))
    return "fence";
  if (in.opcode == "tcgen05" && in.has("wait"))
    return "wait";
  if (in.opcode == "tcgen05" && (in.has("fence") || in.has("commit")))
    return "fence";
  if (in.opcode == "griddepcontrol" && in.has("wait"))
    return "wait";
  return {};
}

bool touchesMemory(const Instruction &in) {
  return in.opcode == "ld" || in.opcode == "st" || in.opcode == "ldmatrix" || in.opcode == "stmatrix" ||
         in.opcode == "atom" || in.opcode == "red" || (in.opcode == "cp" && in.has("async"));
}

/// The first "[...]" of |statement| with |more| bytes added; empty where it names parameters.
std::string withOffset(std::string statement, int more) {
  size_t close = statement.find(']');
  size_t open = statement.rfind('[', close);
  if (open == std::string::npos || close == std::string::npos)
    return {};
  std::string address = statement.substr(open + 1, close - open - 1);
  size_t plus = address.find('+');
  long long offset = plus == std::string::npos ? 0 : std::stoll(address.substr(plus + 1));
  std::string base = address.substr(0, plus);
  return statement.replace(open + 1, close - open - 1, base + "+" + std::to_string(offset + more));
}

/// The last integer constant of |statement| with its lowest set bit moved up by one; empty where there is
/// none.
std::string withOtherBits(std::string statement) {
  size_t comma = statement.rfind(',');
  if (comma == std::string::npos)
    return {};
  size_t begin = statement.find_first_not_of(" \t", comma + 1), end = statement.find(';', begin);
  std::string number = statement.substr(begin, end - begin);
  bool negative = number.starts_with("-");
  if (number.empty() || !isdigit(static_cast<unsigned char>(number[negative])) ||
      number.find_first_of("fF.") == 1)
    return {};
  long long value = std::stoll(number, nullptr, 0), lowest = value & -value;
  if (value == 0)
    lowest = 1;
  return statement.replace(begin, end - begin, std::to_string((value ^ lowest) | lowest << 1));
}

void addDataMutants(const PtxText &text, const Instruction &in, const std::string &place, size_t begin,
                    size_t end, std::vector<Mutant> &mutants) {
  std::string statement = text.statement(begin, end);
  auto add = [&](const char *kind, const std::string &other) {
    if (!other.empty() && other != statement)
      mutants.push_back({kind, place, text.with(begin, end, other)});
  };
  if (touchesMemory(in) && !in.has("param")) {
    add("offset", withOffset(statement, 16));
    if (in.guard >= 0)
      add("mask", statement.substr(statement.find(in.opcode)));
  }
  if (in.opcode == "setp")
    for (auto [from, to] : {std::pair{".lt.", ".le."}, {".le.", ".lt."}, {".gt.", ".ge."}, {".ge.", ".gt."}})
      if (size_t at = statement.find(from); at != std::string::npos) {
        std::string other = statement;
        add("bound", other.replace(at, 4, to));
        break;
      }
  if (in.opcode == "xor" || in.opcode == "and" || in.opcode == "or" || in.opcode == "shl" ||
      in.opcode == "shr" || in.opcode == "bfe")
    add("bits", withOtherBits(statement));
}

} // namespace

std::vector<Mutant> ptxMutants(std::span<const std::byte> code) {
  std::string given(reinterpret_cast<const char *>(code.data()), code.size());
  while (!given.empty() && given.back() == '\0')
    given.pop_back();
  std::vector<Mutant> mutants;
  auto module = parsePtx(given);
  if (!module.ok())
    return mutants;
  PtxText text(given);
  for (const auto &function : (*module)->functions)
    for (const Instruction &in : function->instructions) {
      size_t begin, end;
      if (!text.find(in.line, in.opcode, begin, end))
        continue;
      std::string place = "line " + std::to_string(in.line) + ": " + in.text;
      std::string kind = kindOfOrder(in);
      if (kind.empty()) {
        addDataMutants(text, in, place, begin, end, mutants);
        continue;
      }
      std::string other = ";";
      if (in.opcode == "mbarrier" && kind == "wait") {
        std::string statement = text.statement(begin, end);
        size_t predicate = statement.find('%', statement.find(in.opcode)), after = statement.find(',');
        other = "setp.eq.u32 " + statement.substr(predicate, after - predicate) + ", 0, 0;";
      } else if (in.opcode == "mbarrier" && !in.operands.empty() &&
                 in.operands[0].kind == Operand::Register) {
        // The state that nobody reads any more.
        other = "mov.b64 " + function->registers[in.operands[0].index].name + ", 0;";
      }
      mutants.push_back({kind, place, text.with(begin, end, other)});
    }
  return mutants;
}

} // namespace quern::test
