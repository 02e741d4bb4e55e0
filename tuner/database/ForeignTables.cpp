//===- ForeignTables.cpp --------------------------------------------------===//
#include "tuner/database/ForeignTables.h"
#include "dialects/tile/Schedule.h"
#include "runtime/measure/Estimate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace quern::tuner {

static Status tableError(const std::string &file, const std::string &sentence) {
  return Status::error(Exit::BadInput, "E-TUNING-TABLE", "`" + file + "` " + sentence);
}

static std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

static std::string baseName(const std::string &path) { return path.substr(path.rfind('/') + 1); }

//===----------------------------------------------------------------------===//
// Names of tables
//===----------------------------------------------------------------------===//

namespace {

struct TableName {
  std::map<std::string, std::string, std::less<>> parts;
  bool down = false;

  std::optional<int64_t> size(std::string_view part) const {
    auto it = parts.find(part);
    std::optional<int64_t> value = it == parts.end() ? std::nullopt : number(it->second);
    return value && *value > 0 && *value <= (int64_t(1) << 31) ? value : std::nullopt;
  }
  std::string text(std::string_view part) const {
    auto it = parts.find(part);
    return it == parts.end() ? std::string() : it->second;
  }
};

/// "E=8,N=14336,block_shape=[128, 128].json": parts begin where a comma is followed by a word and an equals
/// sign.
TableName parseName(std::string name) {
  TableName result;
  if (name.ends_with(".json"))
    name.resize(name.size() - 5);
  if (name.ends_with("_down")) {
    result.down = true;
    name.resize(name.size() - 5);
  }
  auto beginsPart = [&](size_t at) {
    size_t end = at;
    while (end < name.size() && (std::isalpha(static_cast<unsigned char>(name[end])) || name[end] == '_'))
      ++end;
    return end > at && end < name.size() && name[end] == '=';
  };
  for (size_t at = 0; at < name.size() && beginsPart(at);) {
    const size_t equals = name.find('=', at);
    size_t end = equals;
    do
      end = std::min(name.find(',', end + 1), name.size());
    while (end < name.size() && !beginsPart(end + 1));
    result.parts[name.substr(at, equals - at)] = name.substr(equals + 1, end - equals - 1);
    at = end + 1;
  }
  return result;
}

/// What one row of a table says of a kernel.
struct Blocks {
  int64_t m = 0, n = 0, k = 0, warps = 0, stages = 0, group = 1, split = 1;
};

/// Nothing where no Schedule says the same.
std::optional<std::string> scheduleText(const Blocks &b) {
  for (int64_t size : {b.m, b.n, b.k})
    if (size < 1 || size > 4096)
      return std::nullopt;
  std::string text =
      "linear{tile=" + std::to_string(b.m) + "x" + std::to_string(b.n) + "x" + std::to_string(b.k);
  if (b.warps > 0)
    text += " warps=" + std::to_string(b.warps);
  if (b.stages > 0)
    text += " stages=" + std::to_string(b.stages);
  if (b.split > 1)
    text += " split=" + std::to_string(b.split) + ":last_block";
  if (b.group > 1)
    text += " raster=m" + std::to_string(b.group);
  Expected<tile::Schedule> schedule = tile::Schedule::parse(text + "}");
  return schedule.ok() ? std::optional(schedule->str()) : std::nullopt;
}

} // namespace

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// Numbers of tokens for which the nearest of |points| is |points[i]|, the smaller of two equally near ones;
/// nothing is claimed beyond the last one.
static TokenRange nearestRange(const std::vector<int64_t> &points, size_t i) {
  TokenRange range{1, points[i]};
  if (i > 0)
    range.first = (points[i - 1] + points[i]) / 2 + 1;
  if (i + 1 < points.size())
    range.last = (points[i] + points[i + 1]) / 2;
  return range;
}

Expected<ForeignSeeds> readBlockTable(std::string_view text, const std::string &file) {
  const TableName name = parseName(baseName(file));
  const std::optional<int64_t> experts = name.size("E"), n = name.size("N"), k = name.size("K");
  if (!n || (!experts && !k) || name.text("device_name").empty())
    return tableError(
        file, "is not named as a table is: E=...,N=...,device_name=... or N=...,K=...,device_name=...");
  const std::string type = name.text("dtype");
  if (!type.empty() && type != "fp8_w8a8")
    return Status::error(Exit::Unsupported, "E-TUNING-TABLE-TYPE", "`" + file + "` is for `" + type + "`")
        .cause("only bf16 and fp8_w8a8 have kernels");
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(text, {.name = file}));
  QUERN_ASSIGN_OR_RETURN(auto members, document.root().asObject());
  std::map<int64_t, JsonRef> rows;
  for (const auto &[key, value] : members) {
    if (std::optional<int64_t> tokens = number(key); tokens && *tokens > 0 && *tokens <= (int64_t(1) << 31))
      rows.emplace(*tokens, value);
    else if (value->isObject())
      return value.error("E-TUNING-TABLE", "`" + std::string(key) + "` is no number of tokens");
  }
  std::vector<int64_t> points;
  for (const auto &[tokens, value] : rows)
    points.push_back(tokens);

  // What the name says of each product; what it does not say is left open.
  std::vector<std::map<std::string, std::string>> products;
  auto product = [&](std::map<std::string, std::string> sizes) {
    if (!name.text("block_shape").empty())
      sizes["SCALES"] = "1";
    products.push_back(std::move(sizes));
  };
  if (!experts)
    product({{"N", std::to_string(*n)}, {"K", std::to_string(*k)}, {"E", "1"}});
  if (experts && !name.down)
    product({{"E", std::to_string(*experts)}, {"N", std::to_string(2 * *n)}});
  if (experts)
    product({{"E", std::to_string(*experts)}, {"K", std::to_string(*n)}});

  ForeignSeeds result;
  for (size_t i = 0; i < points.size(); ++i) {
    JsonRef row = rows.at(points[i]);
    Blocks blocks;
    QUERN_ASSIGN_OR_RETURN(blocks.m, row.getInt("BLOCK_SIZE_M"));
    QUERN_ASSIGN_OR_RETURN(blocks.n, row.getInt("BLOCK_SIZE_N"));
    QUERN_ASSIGN_OR_RETURN(blocks.k, row.getInt("BLOCK_SIZE_K"));
    QUERN_ASSIGN_OR_RETURN(std::optional<int64_t> group, row.findInt("GROUP_SIZE_M"));
    QUERN_ASSIGN_OR_RETURN(std::optional<int64_t> warps, row.findInt("num_warps"));
    QUERN_ASSIGN_OR_RETURN(std::optional<int64_t> stages, row.findInt("num_stages"));
    QUERN_ASSIGN_OR_RETURN(std::optional<int64_t> split, row.findInt("SPLIT_K"));
    blocks.group = group.value_or(1);
    blocks.warps = warps.value_or(0);
    blocks.stages = stages.value_or(0);
    blocks.split = split.value_or(1);
    std::optional<std::string> config = scheduleText(blocks);
    if (!config) {
      result.skipped.push_back("row " + std::to_string(points[i]) + ": no Schedule has these sizes");
      continue;
    }
    for (const auto &sizes : products) {
      Seed seed;
      seed.problem = {"linear", sizes, type.empty() ? "bf16" : "f8E4M3FN", nearestRange(points, i)};
      seed.device = name.text("device_name");
      seed.config = *config;
      seed.source = baseName(file);
      result.seeds.push_back(std::move(seed));
    }
  }
  return std::move(result);
}

/// Fields of a line without quotes: no table of this kind has any.
static std::vector<std::string> fieldsOf(std::string_view line) {
  std::vector<std::string> fields;
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n'))
    line.remove_suffix(1);
  for (size_t at = 0; at <= line.size();) {
    const size_t end = std::min(line.find(',', at), line.size());
    fields.emplace_back(line.substr(at, end - at));
    at = end + 1;
  }
  return fields;
}

/// "..._256x16x64x256_...": threads and block of the first part with four sizes.
static Blocks blocksOfName(std::string_view name) {
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find('_', at), name.size());
    std::vector<int64_t> sizes;
    std::string_view part = name.substr(at, end - at);
    for (size_t from = 0; from <= part.size();) {
      const size_t to = std::min(part.find('x', from), part.size());
      std::optional<int64_t> size = number(part.substr(from, to - from));
      if (!size) {
        sizes.clear();
        break;
      }
      sizes.push_back(*size);
      from = to + 1;
    }
    if (sizes.size() == 4)
      return {.m = sizes[1],
              .n = sizes[2],
              .k = sizes[3],
              .warps = sizes[0] / 64}; // these cards have warps of 64
    at = end + 1;
  }
  return {};
}

Expected<ForeignSeeds> readKernelList(std::string_view text, const std::string &file) {
  const std::string own = baseName(file);
  const bool scaled = own.find("blockscale") != std::string::npos,
             eight = own.find("a8w8") != std::string::npos;
  if (!eight && own.find("bf16") == std::string::npos)
    return Status::error(Exit::Unsupported, "E-TUNING-TABLE-TYPE",
                         "`" + file + "` does not name a known element type")
        .cause("`a8w8` and `bf16` have kernels");
  ForeignSeeds result;
  std::map<std::string, size_t> columns;
  struct Row {
    int64_t line, m;
    Blocks blocks;
    std::string config, device;
    double seconds;
  };
  std::map<std::pair<int64_t, int64_t>, std::vector<Row>> shapes;
  for (int64_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::vector<std::string> fields = fieldsOf(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line == 1) {
      for (size_t i = 0; i < fields.size(); ++i)
        columns[fields[i]] = i;
      for (const char *name : {"cu_num", "M", "N", "K", "us", "kernelName"})
        if (!columns.contains(name))
          return tableError(file, "has no column `" + std::string(name) + "`");
      continue;
    }
    if (fields.size() == 1 && fields[0].empty())
      continue;
    if (fields.size() < columns.size())
      return tableError(file, "has too few fields in line " + std::to_string(line));
    auto field = [&](const char *name) { return fields[columns.at(name)]; };
    const std::optional<int64_t> m = number(field("M")), n = number(field("N")), k = number(field("K"));
    char *rest = nullptr;
    const std::string us = field("us");
    const double microseconds = std::strtod(us.c_str(), &rest);
    if (!m || !n || !k || *m < 1 || *n < 1 || *k < 1 || us.empty() || *rest || !(microseconds >= 0) ||
        !std::isfinite(microseconds))
      return tableError(file, "has something other than numbers in line " + std::to_string(line));
    Row row{line, *m, blocksOfName(field("kernelName")), "", "", microseconds * 1e-6};
    row.device = (columns.contains("gfx") ? field("gfx") + " " : "") + "units=" + field("cu_num");
    Expected<tile::Schedule> schedule = tile::Schedule::parse(field("kernelName")); // one of our own lists
    if (columns.contains("splitK"))
      if (std::optional<int64_t> split = number(field("splitK")); split && *split > 0 && *split < 31)
        row.blocks.split = int64_t(1) << *split; // the column is a power of two
    row.config = schedule.ok() ? schedule->str() : scheduleText(row.blocks).value_or("");
    if (row.config.empty()) {
      result.skipped.push_back("line " + std::to_string(line) + ": `" + field("kernelName") +
                               "` says no block sizes");
      continue;
    }
    shapes[{*n, *k}].push_back(std::move(row));
  }
  if (columns.empty())
    return tableError(file, "is empty");
  for (auto &[shape, rows] : shapes) {
    std::set<int64_t> distinct;
    for (const Row &row : rows)
      distinct.insert(row.m);
    const std::vector<int64_t> points(distinct.begin(), distinct.end());
    for (const Row &row : rows) {
      const size_t i = size_t(std::ranges::lower_bound(points, row.m) - points.begin());
      Seed seed;
      seed.problem.kernel = "linear";
      seed.problem.parameters = {
          {"N", std::to_string(shape.first)}, {"K", std::to_string(shape.second)}, {"E", "1"}};
      if (scaled)
        seed.problem.parameters["SCALES"] = "1";
      seed.problem.dtype = eight ? "f8E4M3FN" : "bf16";
      // At run time the number of rows is padded up to the next that is listed.
      seed.problem.tokens = {i == 0 ? 1 : points[i - 1] + 1, row.m};
      seed.device = row.device;
      seed.config = row.config;
      seed.source = baseName(file);
      seed.seconds = row.seconds;
      result.seeds.push_back(std::move(seed));
    }
  }
  return std::move(result);
}

Expected<ForeignSeeds> readForeignTable(std::string_view text, const std::string &file) {
  if (file.ends_with(".json"))
    return readBlockTable(text, file);
  if (file.ends_with(".csv"))
    return readKernelList(text, file);
  return tableError(file, "is neither a .json nor a .csv");
}

bool fits(const Seed &seed, const Problem &problem) {
  if (seed.problem.kernel != problem.kernel || seed.problem.dtype != problem.dtype ||
      !seed.problem.tokens.intersects(problem.tokens))
    return false;
  return std::ranges::all_of(seed.problem.parameters, [&](const auto &entry) {
    auto it = problem.parameters.find(entry.first);
    return it != problem.parameters.end() && it->second == entry.second;
  });
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {

/// What is used for one bucket of a product.
struct Used {
  TokenRange range;
  tile::Schedule schedule;
  double seconds;
};

/// For each bucket of |group| the choice, or the default where it was measured.
std::vector<Used> usedOf(const MeasuredGroup &group, const Lookup &lookup) {
  std::map<TokenRange, std::vector<const Measurement *>> buckets;
  for (const Measurement &m : group.measurements)
    buckets[m.problem.tokens].push_back(&m);
  std::vector<Used> result;
  for (const auto &[range, trials] : buckets) {
    Choice choice = choose(group.measurements, range, lookup.decisions());
    std::string config = choice.config.value_or("");
    for (const Measurement *m : trials)
      if (config.empty() && m->isDefault && m->outcome == Outcome::Ok)
        config = m->config;
    std::vector<double> samples;
    for (const Measurement *m : trials)
      if (m->config == config)
        samples.insert(samples.end(), m->samples.begin(), m->samples.end());
    Expected<tile::Schedule> schedule = tile::Schedule::parse(config);
    if (schedule.ok() && schedule->tile.size() == 3 && !samples.empty())
      result.push_back({range, *std::move(schedule), runtime::estimate(samples).median});
  }
  return result;
}

std::string parameter(const Problem &problem, const char *name) {
  auto it = problem.parameters.find(name);
  return it == problem.parameters.end() ? "" : it->second;
}

/// The name of the table of |problem|; empty where there is none: the second product of a mixture shares the
/// first one's file.
std::string tableName(const Problem &problem, const DeviceIdentity &device) {
  std::string name;
  const std::optional<int64_t> n = number(parameter(problem, "N")), k = number(parameter(problem, "K"));
  if (!n || !k)
    return "";
  if (parameter(problem, "EXPERTS") == "1" || parameter(problem, "GROUPED") == "1") {
    if (parameter(problem, "SHARE") == "1" || *n % 2)
      return "";
    name = "E=" + parameter(problem, "E") + ",N=" + std::to_string(*n / 2);
  } else {
    name = "N=" + std::to_string(*n) + ",K=" + std::to_string(*k);
  }
  std::string label = device.name.empty() ? device.hardware : device.name;
  std::ranges::replace(label, ' ', '_');
  std::ranges::replace(label, '/', '_');
  name += ",device_name=" + label;
  if (problem.dtype == "f8E4M3FN")
    name += ",dtype=fp8_w8a8";
  if (parameter(problem, "SCALES") == "1")
    name += ",block_shape=[128,128]";
  return name + ".json";
}

} // namespace

std::vector<ForeignFile> writeBlockTables(const Lookup &lookup) {
  std::map<std::string, Json> files;
  for (const MeasuredGroup &group : lookup.groups()) {
    const std::string name =
        group.problem().kernel == "linear" ? tableName(group.problem(), group.device()) : "";
    if (name.empty())
      continue;
    for (const Used &used : usedOf(group, lookup)) {
      Json row = Json::object();
      row.set("BLOCK_SIZE_M", used.schedule.tile[0]);
      row.set("BLOCK_SIZE_N", used.schedule.tile[1]);
      row.set("BLOCK_SIZE_K", used.schedule.tile[2]);
      row.set("GROUP_SIZE_M",
              used.schedule.rasterAxis == tile::RasterAxis::M ? used.schedule.rasterGroup : 1);
      row.set("num_warps", used.schedule.warps * used.schedule.groups);
      row.set("num_stages", std::max(used.schedule.stages, 1));
      auto [it, isNew] = files.try_emplace(name, Json::object());
      it->second.set(std::to_string(used.range.last), std::move(row));
    }
  }
  std::vector<ForeignFile> result;
  for (const auto &[name, json] : files)
    result.push_back({name, writeJson(json, {.indent = 4}) + "\n"});
  return result;
}

std::vector<ForeignFile> writeKernelLists(const Lookup &lookup) {
  std::map<std::string, std::set<std::string>> files;
  for (const MeasuredGroup &group : lookup.groups()) {
    const Problem &problem = group.problem();
    const std::string n = parameter(problem, "N"), k = parameter(problem, "K");
    if (problem.kernel != "linear" || n.empty() || k.empty() || parameter(problem, "EXPERTS") == "1" ||
        parameter(problem, "GROUPED") == "1")
      continue;
    const std::string name = problem.dtype != "f8E4M3FN"           ? problem.dtype + "_tuned_gemm.csv"
                             : parameter(problem, "SCALES") == "1" ? "a8w8_blockscale_tuned_gemm.csv"
                                                                   : "a8w8_tuned_gemm.csv";
    for (const Used &used : usedOf(group, lookup)) {
      char us[32];
      std::snprintf(us, sizeof us, "%.4f", used.seconds * 1e6);
      files[name].insert(group.device().architecture + "," + std::to_string(group.device().units) + "," +
                         std::to_string(used.range.last) + "," + n + "," + k + ",-1,0," + us + "," +
                         used.schedule.str());
    }
  }
  std::vector<ForeignFile> result;
  for (const auto &[name, lines] : files) {
    result.push_back({name, "gfx,cu_num,M,N,K,kernelId,splitK,us,kernelName\n"});
    for (const std::string &line : lines)
      result.back().text += line + "\n";
  }
  return result;
}

} // namespace quern::tuner
