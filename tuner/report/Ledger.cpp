//===- Ledger.cpp ---------------------------------------------------------===//
#include "tuner/report/Ledger.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace quern::report {

namespace {

/// The lines, in the order of the report: what they are called and the members of the contexts that they
/// show.
struct Field {
  const char *name;
  std::vector<const char *> keys;
};
const std::vector<Field> &fields() {
  static const std::vector<Field> list = {
      {"compiler (sources, kernels, LLVM)", {"compiler"}},
      {"module before any vendor", {"module"}},
      {"target and how it is lowered", {"target"}},
      {"code of the plan", {"plan"}},
      {"tuning effort", {"tuning"}},
      {"precision rung", {"rung"}},
      {"device", {"device", "device_description", "architecture"}},
      {"units, partition", {"units", "partition"}},
      {"driver", {"driver"}},
      {"host threads", {"threads"}},
      {"clock requested", {"clock_requested"}},
      {"clock observed, MHz", {"clock_mhz"}},
      {"memory clock, MHz", {"memory_clock_mhz"}},
      {"power limit, W", {"power_limit_watts"}},
      {"power observed, W", {"power_watts"}},
      {"temperature, degrees C", {"temperature_celsius"}},
      {"cache state", {"cache_state", "flush_bytes"}},
      {"graph replay", {"replay"}},
      {"sequences", {"batch"}},
      {"tokens of a step, depth", {"tokens", "depth"}},
      {"difference of the logits of both sides", {"logits_difference"}},
      {"order", {"order"}},
      {"rounds", {"rounds"}},
      {"random seed", {"seed"}},
      {"runs left out", {"discarded"}},
  };
  return list;
}

/// The value as a reader wants it: a range as "1410 to 1755".
std::string textOf(const Json &value) {
  if (value.isNull())
    return {};
  if (value.isString())
    return value.string();
  if (value.kind() == JsonKind::Float) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value.number());
    return text;
  }
  if (const Json *low = value.find("min"))
    if (const Json *high = value.find("max"))
      return *low == *high ? textOf(*low) : textOf(*low) + " to " + textOf(*high);
  if (value.isArray()) {
    std::string text;
    for (const Json &item : value.items())
      text += (text.empty() ? "" : ", ") + textOf(item);
    return text.empty() ? "none" : text;
  }
  return writeJson(value);
}

std::string valueOf(const ResultSet &set, const Field &field) {
  std::string text;
  for (const char *key : field.keys)
    if (const Json *value = set.context.find(key)) {
      const std::string one = textOf(*value);
      if (!one.empty())
        text += (text.empty() ? "" : ", ") + one;
    }
  return text;
}

/// The words of a schedule that name an instruction: "mma=..." of "linear{tile=... mma=...} K=...".
std::string wordOf(const std::string &kernel, const char *key) {
  const size_t begin = kernel.find(key), close = kernel.find('}');
  if (begin == std::string::npos || (close != std::string::npos && begin > close))
    return {};
  const size_t end = std::min(kernel.find_first_of(" }", begin), kernel.size());
  return kernel.substr(begin, end - begin);
}

void addAsymmetries(const Comparison &comparison, Ledger &ledger) {
  auto &list = ledger.asymmetries;
  auto rows = [](size_t count) { return std::to_string(count) + (count == 1 ? " result" : " results"); };
  for (const LedgerLine &line : ledger.lines)
    for (const char *name : {"precision rung", "cache state", "graph replay", "host threads", "tuning effort",
                             "compiler (sources, kernels, LLVM)", "module before any vendor"})
      if (line.name == name && line.state == LedgerState::Differs)
        list.push_back(line.name + ": " + line.a + " against " + line.b);
  if (!comparison.onlyA.empty())
    list.push_back(rows(comparison.onlyA.size()) + " on A's side only: `" + comparison.onlyA.front() +
                   "` first");
  if (!comparison.onlyB.empty())
    list.push_back(rows(comparison.onlyB.size()) + " on B's side only: `" + comparison.onlyB.front() +
                   "` first");
  std::set<std::string> onlyA, onlyB;
  for (const Pair &pair : comparison.pairs) {
    auto a = pair.a->facts.find("kernel"), b = pair.b->facts.find("kernel");
    if (a == pair.a->facts.end() || b == pair.b->facts.end())
      continue;
    const std::string left = wordOf(a->second, "mma="), right = wordOf(b->second, "mma=");
    if (!left.empty() && right.empty())
      onlyA.insert(pair.a->name);
    if (left.empty() && !right.empty())
      onlyB.insert(pair.b->name);
  }
  if (!onlyA.empty())
    list.push_back("A runs " + rows(onlyA.size()) + " on a matrix unit that B runs without: `" +
                   *onlyA.begin() + "` first");
  if (!onlyB.empty())
    list.push_back("B runs " + rows(onlyB.size()) + " on a matrix unit that A runs without: `" +
                   *onlyB.begin() + "` first");
}

/// "A's clock moved from 1410 to 1755 MHz": results under a clock that moves are no one clock's.
void addMovingClocks(const Comparison &comparison, Ledger &ledger) {
  for (auto [side, set] : {std::pair("A", comparison.a), std::pair("B", comparison.b)}) {
    const Json *clock = set->context.find("clock_mhz");
    const Json *low = clock ? clock->find("min") : nullptr, *high = clock ? clock->find("max") : nullptr;
    if (low && high && low->isNumber() && high->isNumber() && high->number() > 1.05 * low->number())
      ledger.asymmetries.push_back(std::string(side) +
                                   "'s clock moved while it was measured: " + textOf(*clock) + " MHz");
  }
}

} // namespace

const char *ledgerStateName(LedgerState state) {
  return state == LedgerState::Equal ? "equal" : state == LedgerState::Differs ? "differs" : "not recorded";
}

size_t Ledger::missing() const {
  return size_t(std::count_if(lines.begin(), lines.end(),
                              [](const LedgerLine &line) { return line.state == LedgerState::Missing; }));
}

Ledger makeLedger(const Comparison &comparison) {
  Ledger ledger;
  for (const Field &field : fields()) {
    LedgerLine line;
    line.name = field.name;
    line.a = valueOf(*comparison.a, field);
    line.b = valueOf(*comparison.b, field);
    line.state = line.a.empty() || line.b.empty() ? LedgerState::Missing
                 : line.a == line.b               ? LedgerState::Equal
                                                  : LedgerState::Differs;
    ledger.lines.push_back(std::move(line));
  }
  auto repetitions = [&](bool second) {
    size_t least = SIZE_MAX, most = 0;
    for (const Pair &pair : comparison.pairs) {
      const size_t count = (second ? pair.b : pair.a)->samples.size();
      least = std::min(least, count);
      most = std::max(most, count);
    }
    return std::to_string(least) + (least == most ? "" : " to " + std::to_string(most));
  };
  LedgerLine samples{"samples of a result, all kept", repetitions(false), repetitions(true),
                     LedgerState::Equal};
  samples.state = samples.a == samples.b ? LedgerState::Equal : LedgerState::Differs;
  ledger.lines.push_back(std::move(samples));
  addAsymmetries(comparison, ledger);
  addMovingClocks(comparison, ledger);
  return ledger;
}

Json ledgerJson(const Ledger &ledger) {
  Json root = Json::object(), lines = Json::array(), asymmetries = Json::array();
  root.set("schema", "quern.ledger");
  root.set("schema_version", 1);
  root.set("complete", ledger.missing() == 0);
  for (const LedgerLine &line : ledger.lines) {
    Json &json = lines.push(Json::object());
    json.set("name", line.name);
    json.set("a", line.a);
    json.set("b", line.b);
    json.set("state", ledgerStateName(line.state));
  }
  for (const std::string &text : ledger.asymmetries)
    asymmetries.push(text);
  root.set("lines", std::move(lines));
  root.set("asymmetries", std::move(asymmetries));
  return root;
}

} // namespace quern::report
