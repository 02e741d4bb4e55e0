//===- KernelExchange.cpp -------------------------------------------------===//
#include "lowering/KernelExchange.h"
#include "support/Hash.h"

#include <charconv>
#include <cstdlib>
#include <sstream>

namespace quern::lowering {

Expected<KernelRequest> parseKernelRequest(std::string_view text) {
  size_t close = text.find('}');
  KernelRequest request;
  QUERN_ASSIGN_OR_RETURN(
      request.schedule,
      tile::Schedule::parse(text.substr(0, close == std::string_view::npos ? text.size() : close + 1)));
  request.kernel = request.schedule.kernel;
  std::istringstream fields{std::string(text.substr(close + 1))};
  for (std::string field; fields >> field;) {
    size_t equals = field.find('=');
    if (equals == std::string::npos)
      return Status::error(Exit::Usage, "E-SCHEDULE-SYNTAX",
                           "cannot read the kernel request `" + std::string(text) + "`")
          .cause("`" + field + "` has no value");
    std::string name = field.substr(0, equals), value = field.substr(equals + 1);
    int64_t integer = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), integer);
    char *realEnd = nullptr;
    double real = std::strtod(value.c_str(), &realEnd);
    // Element names start with a letter, numbers never do.
    if (error == std::errc() && end == value.data() + value.size())
      request.parameters[name] = integer;
    else if (!value.empty() && *realEnd == 0 && !std::isalpha(static_cast<unsigned char>(value[0])))
      request.parameters[name] = real;
    else
      request.parameters[name] = value;
  }
  return request;
}

static constexpr std::string_view magic = "quern-kernel-3";

std::string writeCompiledKernel(const CompiledKernel &kernel) {
  std::ostringstream facts;
  facts << kernel.symbol << " " << kernel.threads << " " << kernel.sharedBytes << " "
        << kernel.arguments.size();
  for (KernelArgument argument : kernel.arguments)
    facts << " " << int(argument);
  facts << " " << kernel.grid.size();
  for (const GridDimension &d : kernel.grid)
    facts << " " << d.argument << " " << d.extent << " " << d.step;
  facts << " " << kernel.dynamicBytes << " " << kernel.maps.size();
  auto list = [&](const std::vector<int64_t> &numbers) {
    facts << " " << numbers.size();
    for (int64_t number : numbers)
      facts << " " << number;
  };
  for (const TensorMapArgument &map : kernel.maps) {
    facts << " " << map.argument << " " << map.element << " " << map.swizzle << " " << map.extents.size();
    for (const TensorMapArgument::Extent &extent : map.extents)
      facts << " " << extent.argument << " " << extent.extent;
    list(map.strides);
    list(map.box);
  }
  facts << " " << kernel.texts.size();
  std::string body;
  for (const auto &[stage, text] : kernel.texts) {
    facts << " " << int(stage) << " " << text.size();
    body += text;
  }
  facts << "\n";
  body = facts.str() + body + kernel.code;
  return std::string(magic) + " " + sha256(body).hex() + "\n" + body;
}

std::optional<CompiledKernel> readCompiledKernel(std::string_view bytes) {
  size_t line = bytes.find('\n');
  if (line != magic.size() + 1 + 64 || !bytes.starts_with(magic))
    return std::nullopt;
  std::string_view body = bytes.substr(line + 1);
  if (sha256(body).hex() != bytes.substr(magic.size() + 1, 64))
    return std::nullopt;
  line = body.find('\n');
  std::istringstream in{std::string(body.substr(0, line))};
  CompiledKernel kernel;
  size_t count = 0;
  in >> kernel.symbol >> kernel.threads >> kernel.sharedBytes >> count;
  for (size_t i = 0; i < count && in; ++i) {
    int kind = 0;
    in >> kind;
    kernel.arguments.push_back(KernelArgument(kind));
  }
  in >> count;
  for (size_t i = 0; i < count && in; ++i) {
    GridDimension d;
    in >> d.argument >> d.extent >> d.step;
    kernel.grid.push_back(d);
  }
  in >> kernel.dynamicBytes >> count;
  auto list = [&](std::vector<int64_t> &numbers) {
    size_t length = 0;
    in >> length;
    for (int64_t number = 0; length > 0 && in >> number; --length)
      numbers.push_back(number);
  };
  for (size_t i = 0; i < count && in; ++i) {
    TensorMapArgument &map = kernel.maps.emplace_back();
    size_t rank = 0;
    in >> map.argument >> map.element >> map.swizzle >> rank;
    for (size_t d = 0; d < rank && in; ++d) {
      TensorMapArgument::Extent &extent = map.extents.emplace_back();
      in >> extent.argument >> extent.extent;
    }
    list(map.strides);
    list(map.box);
  }
  in >> count;
  size_t at = line + 1;
  for (size_t i = 0; i < count && in; ++i) {
    int stage = 0;
    size_t size = 0;
    in >> stage >> size;
    kernel.texts[KernelStage(stage)] = std::string(body.substr(at, size));
    at += size;
  }
  if (!in)
    return std::nullopt;
  kernel.code = body.substr(at);
  return kernel;
}

} // namespace quern::lowering
