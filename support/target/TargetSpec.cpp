//===- TargetSpec.cpp -----------------------------------------------------===//
#include "support/target/TargetSpec.h"

#include <algorithm>
#include <charconv>

namespace quern {

namespace {

constexpr std::string_view native = "native";

std::optional<uint64_t> parseNumber(std::string_view text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

std::string knownNames() {
  std::string names = "cpu, cpu:native";
  for (const TargetInfo &target : knownTargets())
    names += ", " + std::string(target.vendor) + ":" + std::string(target.architecture);
  return names;
}

Status unknown(std::string_view text) {
  return Status::error(Exit::Unsupported, "E-TARGET-UNKNOWN",
                       "the target `" + std::string(text) + "` is not known")
      .remedy("known are " + knownNames());
}

Status badOption(std::string_view option, std::string_view target, std::string cause) {
  return Status::error(Exit::Usage, "E-TARGET-OPTION",
                       "`" + std::string(option) + "` is no option of the target `" + std::string(target) +
                           "`")
      .cause(std::move(cause))
      .remedy("write the target as in nvidia:sm_90a,sms=44,mem=26GiB");
}

Status readOption(std::string_view option, TargetSpec &spec) {
  size_t equals = option.find('=');
  if (equals == std::string_view::npos)
    return badOption(option, spec.name(), "an option is written key=value");
  std::string_view key = option.substr(0, equals), value = option.substr(equals + 1);
  if (key == unitsWord(spec.vendor) || key == "units") {
    std::optional<uint64_t> units = parseNumber(value);
    if (!units || *units == 0 || *units > 65535)
      return badOption(option, spec.name(), "the number of units is an integer from 1 to 65535");
    if (spec.units)
      return badOption(option, spec.name(), "the number of units is given twice");
    spec.units = static_cast<uint32_t>(*units);
    return Status::success();
  }
  if (key == "mem") {
    std::optional<uint64_t> bytes = parseByteSize(value);
    if (!bytes)
      return badOption(option, spec.name(), "the memory is a size such as 26GiB");
    if (spec.memory)
      return badOption(option, spec.name(), "the memory is given twice");
    spec.memory = bytes;
    return Status::success();
  }
  return badOption(option, spec.name(),
                   "the options are " + std::string(unitsWord(spec.vendor)) + "=N and mem=SIZE");
}

/// The number in "sm_90"; 0 where there is none.
uint64_t generationNumber(std::string_view architecture) {
  size_t digit = architecture.find_first_of("0123456789");
  if (digit == std::string_view::npos)
    return 0;
  uint64_t number = 0;
  std::from_chars(architecture.data() + digit, architecture.data() + architecture.size(), number);
  return number;
}

/// How well code made for |spec| fits a device with |units|; higher is better.
uint64_t unitsFit(const TargetSpec &spec, uint32_t units) {
  if (spec.units == units)
    return uint64_t(1) << 33;
  if (!spec.units)
    return uint64_t(1) << 32;
  // Made for fewer units: the more the better. Made for more: runs, but comes last.
  return *spec.units < units ? (uint64_t(1) << 31) + *spec.units : 0;
}

} // namespace

std::optional<uint64_t> parseByteSize(std::string_view text) {
  struct Suffix {
    std::string_view text;
    uint64_t factor;
  };
  constexpr Suffix suffixes[] = {{"KiB", 1ull << 10},
                                 {"MiB", 1ull << 20},
                                 {"GiB", 1ull << 30},
                                 {"TiB", 1ull << 40},
                                 {"kB", 1000},
                                 {"MB", 1'000'000},
                                 {"GB", 1'000'000'000},
                                 {"TB", 1'000'000'000'000},
                                 {"B", 1}};
  uint64_t factor = 1;
  for (const Suffix &suffix : suffixes)
    if (text.ends_with(suffix.text)) {
      text.remove_suffix(suffix.text.size());
      factor = suffix.factor;
      break;
    }
  std::optional<uint64_t> number = parseNumber(text);
  uint64_t bytes = 0;
  if (!number || *number == 0 || __builtin_mul_overflow(*number, factor, &bytes))
    return std::nullopt;
  return bytes;
}

std::string byteSizeText(uint64_t bytes) {
  constexpr std::string_view suffixes[] = {"", "KiB", "MiB", "GiB", "TiB"};
  int suffix = 0;
  for (; suffix != 4 && bytes != 0 && bytes % 1024 == 0; ++suffix)
    bytes /= 1024;
  return std::to_string(bytes) + std::string(suffixes[suffix]);
}

std::string TargetSpec::name() const { return architecture.empty() ? vendor : vendor + ":" + architecture; }

std::string TargetSpec::text() const {
  std::string result = name();
  if (units)
    result += "," + std::string(unitsWord(vendor)) + "=" + std::to_string(*units);
  if (memory)
    result += ",mem=" + byteSizeText(*memory);
  return result;
}

std::string TargetSpec::folder() const {
  std::string result = text();
  std::replace_if(result.begin(), result.end(), [](char c) { return c == ':' || c == ','; }, '-');
  return result;
}

std::vector<const TargetInfo *> TargetSpec::members() const {
  std::vector<const TargetInfo *> members;
  for (const TargetInfo &target : knownTargets())
    if (target.vendor == vendor && (architecture.empty() || target.architecture == architecture))
      members.push_back(&target);
  return members;
}

const TargetInfo *TargetSpec::info() const {
  std::vector<const TargetInfo *> all = members();
  return all.empty() ? nullptr : all.front();
}

uint32_t TargetSpec::plannedUnits() const {
  if (units)
    return *units;
  const TargetInfo *target = info();
  const CardInfo *card = target ? representativeCard(*target) : nullptr;
  return card ? card->units : 0;
}

uint64_t TargetSpec::plannedMemory() const {
  if (memory)
    return *memory;
  const TargetInfo *target = info();
  const CardInfo *card = target ? representativeCard(*target) : nullptr;
  return card ? card->memoryBytes() : 0;
}

Expected<TargetSpec> parseTarget(std::string_view text) {
  std::string_view rest = text;
  size_t comma = rest.find(',');
  std::string base(rest.substr(0, comma));
  std::string lower = base;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (const TargetAlias &alias : targetAliases())
    if (alias.alias == lower)
      base = alias.target;

  TargetSpec spec;
  size_t colon = base.find(':');
  spec.vendor = base.substr(0, colon);
  if (colon != std::string::npos) {
    spec.architecture = base.substr(colon + 1);
    if (!findTarget(spec.vendor, spec.architecture) && !(spec.isCpu() && spec.architecture == native))
      return unknown(text);
  } else if (!spec.isCpu()) {
    return unknown(text);
  }
  while (comma != std::string_view::npos) {
    rest.remove_prefix(comma + 1);
    comma = rest.find(',');
    QUERN_RETURN_IF_ERROR(readOption(rest.substr(0, comma), spec));
  }
  return spec;
}

Expected<std::vector<TargetSpec>> parseTargets(const std::vector<std::string> &texts) {
  std::vector<TargetSpec> specs;
  for (const std::string &text : texts) {
    QUERN_ASSIGN_OR_RETURN(TargetSpec spec, parseTarget(text));
    if (std::find(specs.begin(), specs.end(), spec) == specs.end())
      specs.push_back(std::move(spec));
  }
  if (specs.empty())
    return Status::error(Exit::Usage, "E-TARGET-OPTION", "no target is given").remedy("add --target cpu");
  return specs;
}

Expected<size_t> chooseTarget(const std::vector<TargetSpec> &targets, const DeviceFacts &device) {
  // Rank: exact architecture before a fallback, a higher fallback before a lower, then the number of units.
  std::optional<size_t> best;
  std::pair<uint64_t, uint64_t> bestRank;
  std::string present;
  for (size_t i = 0; i != targets.size(); ++i) {
    const TargetSpec &spec = targets[i];
    present += (present.empty() ? "" : ", ") + spec.text();
    const TargetInfo *info = spec.info();
    if (spec.vendor != device.vendor || !info || info->isCpu())
      continue;
    std::string_view own = baseArchitecture(spec.vendor, spec.architecture);
    uint64_t number = generationNumber(own);
    uint64_t fit = own == device.architecture                                                  ? ~0ull
                   : info->forwardCompatible && number < generationNumber(device.architecture) ? number
                                                                                               : 0;
    if (fit == 0)
      continue;
    std::pair rank(fit, unitsFit(spec, device.units));
    if (!best || rank > bestRank) {
      best = i;
      bestRank = rank;
    }
  }
  if (best)
    return *best;
  // Name the target to add: the one whose architecture this is, else the best that would run.
  std::string wanted;
  uint64_t wantedNumber = 0;
  for (const TargetInfo &target : knownTargets()) {
    if (target.vendor != device.vendor || target.isCpu())
      continue;
    uint64_t number = generationNumber(target.architecture);
    bool exact = baseArchitecture(target.vendor, target.architecture) == device.architecture;
    bool runs = target.forwardCompatible && number < generationNumber(device.architecture);
    if (exact || (runs && number > wantedNumber)) {
      wanted = std::string(target.vendor) + ":" + std::string(target.architecture);
      wantedNumber = exact ? ~0ull : number;
    }
  }
  Status status = Status::error(Exit::Unsupported, "E-TARGET-NOT-IN-ARTIFACT",
                                "the artifact has no code for a device of the architecture `" +
                                    std::string(device.architecture) + "`")
                      .cause("it has " + (present.empty() ? "none" : present));
  if (wanted.empty())
    return std::move(status).remedy("use another device; code for this one cannot be made");
  return std::move(status).remedy("compile again with --target " + wanted);
}

} // namespace quern
