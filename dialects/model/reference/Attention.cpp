//===- Attention.cpp - Rotation, cache, attention -------------------------===//
#include "dialects/model/reference/Product.h"

#include <algorithm>
#include <cmath>

namespace quern::model::reference {

Tensor rope(const Tensor &x, const Tensor &positions, bool interleaved, int64_t offset, double magnitude,
            const Vector &frequencies) {
  Tensor result = x;
  int64_t pairs = static_cast<int64_t>(frequencies.size()), d = x.lastDim(), heads = x.rowSize() / d;
  std::vector<double> cosines(frequencies.size()), sines(frequencies.size());
  for (int64_t t = 0; t < x.rows(); ++t) {
    for (size_t i = 0; i < frequencies.size(); ++i) {
      float angle = static_cast<float>(positions.integers[static_cast<size_t>(t)]) * frequencies[i];
      cosines[i] = static_cast<float>(magnitude * std::cos(static_cast<double>(angle)));
      sines[i] = static_cast<float>(magnitude * std::sin(static_cast<double>(angle)));
    }
    for (int64_t h = 0; h < heads; ++h) {
      int64_t base = (t * heads + h) * d + offset;
      for (int64_t i = 0; i < pairs; ++i) {
        size_t first = static_cast<size_t>(base + (interleaved ? 2 * i : i)),
               second = static_cast<size_t>(base + (interleaved ? 2 * i + 1 : i + pairs));
        double u = x.values[first], v = x.values[second], c = cosines[static_cast<size_t>(i)],
               s = sines[static_cast<size_t>(i)];
        result.values[first] = roundTo(x.type, u * c - v * s);
        result.values[second] = roundTo(x.type, u * s + v * c);
      }
    }
  }
  return result;
}

Status cacheAppend(Cache &cache, int64_t layer, const Tensor &keys, const Tensor &values,
                   const Tensor &positions, const Tensor &sequences) {
  for (int64_t t = 0; t < keys.rows(); ++t)
    QUERN_RETURN_IF_ERROR(cache.append(
        layer, sequences.integers[static_cast<size_t>(t)], positions.integers[static_cast<size_t>(t)],
        keys.values.data() + t * keys.rowSize(), values.values.data() + t * values.rowSize()));
  return Status::success();
}

namespace {

/// What one token sees of its sequence.
struct Span {
  int32_t first = 0, count = 0; ///< positions first .. count - 1
  Cache::View view;
};

Expected<std::vector<Span>> spansOf(const Cache &cache, int64_t layer, const Tensor &positions,
                                    const Tensor &sequences, std::optional<int64_t> window) {
  std::vector<Span> spans(static_cast<size_t>(positions.rows()));
  for (size_t t = 0; t < spans.size(); ++t) {
    int32_t position = positions.integers[t];
    if (position < 0)
      return Status::error(Exit::Usage, "E-ORACLE-CACHE",
                           "a token has the position " + std::to_string(position));
    spans[t].count = position + 1;
    if (window)
      spans[t].first = static_cast<int32_t>(std::max<int64_t>(0, position - *window + 1));
    QUERN_ASSIGN_OR_RETURN(spans[t].view,
                           cache.view(layer, sequences.integers[t], spans[t].first, spans[t].count));
  }
  return spans;
}

/// Scores to probabilities, in place.
void softmax(std::vector<double> &scores) {
  double most = *std::max_element(scores.begin(), scores.end()), total = 0;
  for (double &score : scores)
    total += score = std::exp(score - most);
  for (double &score : scores)
    score /= total;
}

} // namespace

Expected<Tensor> attention(const Context &context, const Tensor &q, const Cache &cache, int64_t layer,
                           const Tensor &positions, const Tensor &sequences,
                           const AttentionOptions &options) {
  QUERN_ASSIGN_OR_RETURN(auto spans, spansOf(cache, layer, positions, sequences, options.window));
  int64_t heads = q.shape[1], d = cache.keySize, dv = cache.valueSize, group = heads / cache.heads;
  double scale = static_cast<float>(options.scale);
  Tensor result = Tensor::zeros(q.type, {q.rows(), heads, dv});
  forPieces(context, q.rows() * heads, 8, [&](int64_t begin, int64_t end) {
    std::vector<double> scores, sum(static_cast<size_t>(dv));
    for (int64_t at = begin; at < end; ++at) {
      int64_t t = at / heads, g = at % heads / group;
      const Span &span = spans[static_cast<size_t>(t)];
      const float *query = q.values.data() + at * d;
      scores.clear();
      for (int64_t j = span.first; j < span.count; ++j) {
        double score = scale * dot(query, span.view.keys + (j * cache.heads + g) * d, d);
        if (options.softcap)
          score = *options.softcap * std::tanh(score / *options.softcap);
        scores.push_back(score);
      }
      softmax(scores);
      std::fill(sum.begin(), sum.end(), 0);
      for (int64_t j = span.first; j < span.count; ++j) {
        const float *value = span.view.values + (j * cache.heads + g) * dv;
        double p = scores[static_cast<size_t>(j - span.first)];
        for (int64_t i = 0; i < dv; ++i)
          sum[static_cast<size_t>(i)] += p * value[i];
      }
      for (int64_t i = 0; i < dv; ++i)
        result.values[static_cast<size_t>(at * dv + i)] = roundTo(q.type, sum[static_cast<size_t>(i)]);
    }
  });
  return result;
}

Expected<Tensor> latentAttention(const Context &context, const Tensor &qNope, const Tensor &qRope,
                                 const Packed &kvB, const Cache &cache, int64_t layer,
                                 const Tensor &positions, const Tensor &sequences, double scaleOption,
                                 bool expanded) {
  QUERN_ASSIGN_OR_RETURN(auto spans, spansOf(cache, layer, positions, sequences, std::nullopt));
  int64_t heads = qNope.shape[1], n = qNope.shape[2], r = qRope.shape[2], c = kvB.columns(),
          each = kvB.rows() / heads, v = each - n;
  double scale = static_cast<float>(scaleOption);
  Tensor result = Tensor::zeros(qNope.type, {qNope.rows(), heads, v});
  // A head's weight is dequantised once for all tokens.
  forPieces(context, heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> weight(static_cast<size_t>(each * c));
    std::vector<double> query(static_cast<size_t>(c)), latent(static_cast<size_t>(c)), scores, sum;
    for (int64_t h = begin; h < end; ++h) {
      for (int64_t i = 0; i < each; ++i)
        kvB.readRow(h * each + i, weight.data() + i * c);
      for (int64_t t = 0; t < qNope.rows(); ++t) {
        const Span &span = spans[static_cast<size_t>(t)];
        const float *nope = qNope.values.data() + (t * heads + h) * n,
                    *rotated = qRope.values.data() + (t * heads + h) * r;
        float *to = result.values.data() + (t * heads + h) * v;
        scores.clear();
        if (!expanded) {
          std::fill(query.begin(), query.end(), 0);
          for (int64_t i = 0; i < n; ++i)
            for (int64_t l = 0; l < c; ++l)
              query[static_cast<size_t>(l)] +=
                  static_cast<double>(nope[i]) * weight[static_cast<size_t>(i * c + l)];
        }
        for (int64_t j = span.first; j < span.count; ++j) {
          const float *entry = span.view.keys + j * c;
          double score = dot(rotated, span.view.values + j * r, r);
          if (expanded)
            for (int64_t i = 0; i < n; ++i)
              score += nope[i] * dot(weight.data() + i * c, entry, c);
          else
            score += dot(query.data(), entry, c);
          scores.push_back(scale * score);
        }
        softmax(scores);
        if (expanded) {
          sum.assign(static_cast<size_t>(v), 0);
          for (int64_t j = span.first; j < span.count; ++j)
            for (int64_t i = 0; i < v; ++i)
              sum[static_cast<size_t>(i)] += scores[static_cast<size_t>(j - span.first)] *
                                             dot(weight.data() + (n + i) * c, span.view.keys + j * c, c);
          for (int64_t i = 0; i < v; ++i)
            to[i] = roundTo(qNope.type, sum[static_cast<size_t>(i)]);
          continue;
        }
        std::fill(latent.begin(), latent.end(), 0);
        for (int64_t j = span.first; j < span.count; ++j) {
          double p = scores[static_cast<size_t>(j - span.first)];
          for (int64_t l = 0; l < c; ++l)
            latent[static_cast<size_t>(l)] += p * span.view.keys[j * c + l];
        }
        for (int64_t i = 0; i < v; ++i)
          to[i] = roundTo(qNope.type, dot(latent.data(), weight.data() + (n + i) * c, c));
      }
    }
  });
  return result;
}

} // namespace quern::model::reference
