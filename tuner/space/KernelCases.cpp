//===- KernelCases.cpp ----------------------------------------------------===//
#include "tuner/space/KernelCases.h"

#include "support/Float8.h"

#include <algorithm>
#include <cmath>

namespace quern::tuner {

/// Multiply-adds of the oracle for one case.
static constexpr double mostProducts = double(1 << 28);

namespace {

using Kind = CaseArgument::Kind;

/// Numbers of an operand, decoded once.
std::vector<float> numbers(const DataSpec &spec, const std::string &element, uint64_t count) {
  const std::vector<std::byte> bytes = makeData(spec, element, count);
  std::vector<float> values(count);
  for (uint64_t i = 0; i < count; ++i)
    values[i] = float(elementValue(element, bytes, i));
  return values;
}

/// See kernels/linear/tile.mlir.
struct Linear {
  int64_t rows, n, k, experts, share, round, xs, ys, kBlocks, nBlocks;
  std::string x, w, b, y;
  bool bias, scales, quantised, chosen, grouped;

  explicit Linear(const KernelProblem &p)
      : rows(p.rows), n(p.integer("N")), k(p.integer("K")), experts(std::max<int64_t>(1, p.integer("E"))),
        share(std::max<int64_t>(1, p.integer("SHARE"))), round(std::max<int64_t>(1, p.integer("ROUND"))),
        xs(p.integer("XS")), ys(p.integer("YS")), kBlocks((k + 127) / 128), nBlocks((n + 127) / 128),
        x(p.element("X")), w(p.element("W")), b(p.element("B")), y(p.element("Y")), bias(p.flag("BIAS")),
        scales(p.flag("SCALES")), quantised(p.flag("QUANTIZED")), chosen(p.flag("EXPERTS")),
        // With both flags a block has one row of an expert: the rows of EXPERTS.
        grouped(p.flag("GROUPED") && !p.flag("EXPERTS")) {}

  Status check() const {
    if (n < 1 || k < 1 || xs < k || ys < n || !elementBytes(x) || !elementBytes(w) || !elementBytes(y) ||
        !elementBytes(b))
      return Status::error(Exit::BadInput, "E-TUNE-SHAPES",
                           "the parameters of a linear contradict each other");
    return Status::success();
  }
  int64_t xRows() const { return (rows + share - 1) / share; }
  bool stacked() const { return chosen || grouped; }

  KernelCase make(bool exact, uint64_t seed) const {
    const Pattern pattern = exact ? Pattern::Whole : Pattern::Spread;
    const DataSpec dataX{pattern, seed, 1}, dataW{pattern, seed + 1, 0.5}, dataB{pattern, seed + 2, 1};
    const Pattern scalePattern = exact ? Pattern::Powers : Pattern::Scales;
    const DataSpec dataXs{scalePattern, seed + 3, 0.5}, dataWs{scalePattern, seed + 4, 0.25};
    const int64_t matrices = stacked() ? experts : 1;
    std::vector<int32_t> expertOfRow(size_t(rows), 0);
    if (stacked())
      for (int64_t m = 0; m < rows; ++m)
        expertOfRow[size_t(m)] = int32_t(dataValue({Pattern::Indices, seed + 5, 1, experts}, uint64_t(m)));
    std::vector<int32_t> slots, groups;
    if (grouped)
      arrange(expertOfRow, slots, groups);
    const int64_t places = grouped ? int64_t(slots.size()) : rows;

    auto input = [](const std::string &element, int64_t count, DataSpec data) {
      return CaseArgument{Kind::Input, element, uint64_t(count), data};
    };
    auto list = [](const std::vector<int32_t> &values) {
      return CaseArgument{Kind::Input, "i32", values.size(), {}, values};
    };
    const CaseArgument null;
    KernelCase made;
    made.arguments = {input(x, xRows() * xs, dataX),
                      quantised ? input("f32", xRows() * kBlocks, dataXs) : null,
                      input(w, matrices * n * k, dataW),
                      scales ? input("f32", matrices * nBlocks * kBlocks, dataWs) : null,
                      bias ? input(b, n, dataB) : null,
                      grouped ? list(slots) : chosen ? list(expertOfRow) : null,
                      grouped ? list(groups) : null,
                      {Kind::Output, y, uint64_t((rows - 1) * ys + n)},
                      {Kind::Scalar, "", 0, {}, {}, places}};

    ExpectedRows expected{.argument = 7, .rows = rows, .columns = n, .rowStride = ys};
    const double rowProducts = double(n) * double(k);
    const int64_t most = std::clamp<int64_t>(int64_t(mostProducts / rowProducts), 2, rows);
    for (int64_t i = 0; i < most; ++i) {
      const int64_t row = most == 1 ? 0 : i * (rows - 1) / (most - 1);
      if (expected.known.empty() || expected.known.back() != row)
        expected.known.push_back(row);
    }
    const std::vector<float> xv = numbers(dataX, x, uint64_t(xRows() * xs)),
                             wv = numbers(dataW, w, uint64_t(matrices * n * k)),
                             bv = bias ? numbers(dataB, b, uint64_t(n)) : std::vector<float>(),
                             xsv = quantised ? numbers(dataXs, "f32", uint64_t(xRows() * kBlocks))
                                             : std::vector<float>(),
                             wsv = scales ? numbers(dataWs, "f32", uint64_t(matrices * nBlocks * kBlocks))
                                          : std::vector<float>();
    for (int64_t row : expected.known) {
      const int64_t xRow = row / share, matrix = expertOfRow[size_t(row)];
      const float *xr = xv.data() + xRow * xs;
      for (int64_t column = 0; column < n; ++column) {
        const float *wr = wv.data() + (matrix * n + column) * k;
        double sum = bias ? bv[size_t(column)] : 0;
        for (int64_t block = 0; block < kBlocks; ++block) {
          const int64_t end = std::min(k, (block + 1) * 128);
          const float weightScale =
              scales ? wsv[size_t((matrix * nBlocks + column / 128) * kBlocks + block)] : 1;
          double part = 0;
          for (int64_t i = block * 128; i < end; ++i)
            part += double(xr[i]) * (scales && !quantised ? roundToBf16(wr[i] * weightScale) : wr[i]);
          if (quantised)
            part *= double(xsv[size_t(xRow * kBlocks + block)]) * weightScale;
          sum += part;
        }
        expected.values.push_back(float(sum));
      }
    }
    // Whole numbers up to 4, scaled by at most 4 twice: sums are below 2^24 up to as many terms.
    const double bound = 16.0 * double(k) * (quantised ? 16 : scales ? 4 : 1);
    expected.exact = exact && bound < double(1 << 24);
    made.expected.push_back(std::move(expected));
    return made;
  }

  /// Rows sorted by expert, filled up to whole groups of |round| rows of one expert each.
  void arrange(const std::vector<int32_t> &expertOfRow, std::vector<int32_t> &slots,
               std::vector<int32_t> &groups) const {
    for (int64_t e = 0; e < experts; ++e) {
      const size_t first = slots.size();
      for (int64_t m = 0; m < rows; ++m)
        if (expertOfRow[size_t(m)] == e)
          slots.push_back(int32_t(m));
      while ((slots.size() - first) % size_t(round))
        slots.push_back(-1);
      while (groups.size() * size_t(round) < slots.size())
        groups.push_back(int32_t(e));
    }
  }
};

} // namespace

ProblemWork workOf(const KernelProblem &problem) {
  if (problem.kernel != "linear")
    return {};
  const Linear l(problem);
  const double rows = double(l.rows);
  // Of a stack of matrices only those that a row chose are read: at most one for each.
  const double matrices = l.stacked() ? std::min(rows, double(l.experts)) : 1;
  ProblemWork work;
  work.operations = 2 * rows * double(l.n) * double(l.k);
  work.bytes = double(l.xRows()) * double(l.k) * double(elementBytes(l.x)) +
               matrices * double(l.n) * double(l.k) * double(elementBytes(l.w)) +
               rows * double(l.n) * double(elementBytes(l.y));
  // Which experts were drawn is not known here: no more than one matrix is certain to be read.
  if (l.stacked())
    work.bytes -= (matrices - 1) * double(l.n) * double(l.k) * double(elementBytes(l.w));
  return work;
}

Expected<std::vector<KernelCase>> casesOf(const KernelProblem &problem, uint64_t seed) {
  if (problem.kernel != "linear")
    return Status::error(Exit::Unsupported, "E-TUNE-NO-ORACLE",
                         "nothing says yet what the kernel `" + problem.kernel + "` must compute");
  const Linear linear(problem);
  QUERN_RETURN_IF_ERROR(linear.check());
  return std::vector<KernelCase>{linear.make(true, seed), linear.make(false, seed + 16)};
}

} // namespace quern::tuner
