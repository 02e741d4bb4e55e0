//===- Bpe.cpp ------------------------------------------------------------===//
#include "runtime/text/Bpe.h"

#include "runtime/text/TextPattern.h"
#include "runtime/text/Utf8.h"

#include <algorithm>
#include <cstdio>
#include <queue>

namespace quern::runtime {

/// Pieces up to this length are merged by searching all ranks.
static constexpr size_t shortPiece = 32;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

Expected<Bpe> Bpe::read(JsonRef json) {
  Bpe bpe;
  // Files of older versions name no type.
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> type, json.findString("type"));
  if (type && *type != "BPE")
    return unsupportedComponent(json, "the model `" + std::string(type->substr(0, 80)) + "`");
  for (const char *affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> text, json.findString(affix));
    if (text && !text->empty())
      return unsupportedComponent(json, std::string("`") + affix + "`");
  }
  QUERN_ASSIGN_OR_RETURN(std::optional<double> dropout, json.findFloat("dropout"));
  if (dropout && *dropout != 0)
    return unsupportedComponent(json, "`dropout`");
  auto flag = [&](const char *key, bool &value) -> Status {
    QUERN_ASSIGN_OR_RETURN(std::optional<bool> read, json.findBool(key));
    value = read.value_or(false);
    return Status::success();
  };
  QUERN_RETURN_IF_ERROR(flag("ignore_merges", bpe.ignoreMerges));
  QUERN_RETURN_IF_ERROR(flag("byte_fallback", bpe.byteFallback));
  QUERN_RETURN_IF_ERROR(flag("fuse_unk", bpe.fuseUnknown));

  QUERN_ASSIGN_OR_RETURN(JsonRef vocabulary, json.getObject("vocab"));
  size_t bytes = 0;
  for (const Json::Member &member : vocabulary->members())
    bytes += member.key.size();
  bpe.tokens.reserve(vocabulary->size(), bytes);
  for (const Json::Member &member : vocabulary->members()) {
    if (member.value.kind() != JsonKind::Int || member.value.integer() < 0 ||
        member.value.integer() > Vocabulary::maxId)
      return vocabulary.error("E-TOKENIZER-VOCAB", "the id of " + writeJson(Json(member.key.substr(0, 80))) +
                                                       " is no integer from 0 to " +
                                                       std::to_string(Vocabulary::maxId));
    QUERN_RETURN_IF_ERROR(bpe.tokens.add(member.key, static_cast<uint32_t>(member.value.integer())));
  }
  for (char32_t point = 0; point < bpe.ids.size(); ++point)
    bpe.ids[point] = bpe.tokens.find(toUtf8({&point, 1})).value_or(none);
  for (unsigned byte = 0; byte < 256; ++byte) {
    char name[8];
    snprintf(name, sizeof name, "<0x%02X>", byte);
    bpe.fallbackIds[byte] = bpe.tokens.find(name).value_or(none);
  }
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> unknown, json.findString("unk_token"));
  if (unknown) {
    bpe.unknown = bpe.tokens.find(*unknown);
    if (!bpe.unknown)
      return json.error("E-TOKENIZER-VOCAB", "`unk_token` is not in the vocabulary");
  }
  QUERN_RETURN_IF_ERROR(bpe.readMerges(json));
  return bpe;
}

Status Bpe::readMerges(JsonRef json) {
  QUERN_ASSIGN_OR_RETURN(JsonRef list, json.get("merges"));
  if (!list->isArray())
    return list.asArray().takeError();
  std::vector<std::array<uint32_t, 4>> rows; // left, right, rank, merged
  rows.reserve(list->size());
  std::string joined;
  for (size_t i = 0; i < list->items().size(); ++i) {
    const Json &item = list->items()[i];
    std::string_view left, right;
    auto refused = [&](std::string_view why) {
      return list.error("E-TOKENIZER-MERGES", "merge " + std::to_string(i) + " (" +
                                                  writeJson(item).substr(0, 100) + ") " + std::string(why));
    };
    if (item.isString()) {
      std::string_view text = item.string();
      if (i == 0 && text.starts_with("#version"))
        continue;
      size_t space = text.find(' ');
      if (space == text.npos || text.find(' ', space + 1) != text.npos)
        return refused("is not two tokens with one space between them");
      left = text.substr(0, space);
      right = text.substr(space + 1);
    } else if (item.isArray() && item.size() == 2 && item.items()[0].isString() &&
               item.items()[1].isString()) {
      left = item.items()[0].string();
      right = item.items()[1].string();
    } else {
      return refused("is neither a string nor a pair of strings");
    }
    joined.assign(left).append(right);
    std::optional<uint32_t> leftId = tokens.find(left), rightId = tokens.find(right),
                            merged = tokens.find(joined);
    if (!leftId || !rightId || !merged)
      return refused(!leftId || !rightId ? "uses a token that is not in the vocabulary"
                                         : "makes a token that is not in the vocabulary");
    rows.push_back({*leftId, *rightId, static_cast<uint32_t>(i), *merged});
  }
  return addMerges(rows);
}

Status Bpe::addMerges(std::vector<std::array<uint32_t, 4>> &rows) {
  std::sort(rows.begin(), rows.end());
  mergeBegins.assign(tokens.size() + 1, 0);
  for (size_t i = 0; i < rows.size(); ++i) {
    auto [left, right, rank, merged] = rows[i];
    if (i + 1 < rows.size() && rows[i + 1][0] == left && rows[i + 1][1] == right)
      continue; // of a pair that is listed twice the last rank counts
    merges.push_back({right, rank, merged});
    ++mergeBegins[left + 1];
  }
  for (size_t id = 1; id < mergeBegins.size(); ++id)
    mergeBegins[id] += mergeBegins[id - 1];
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Encoding
//===----------------------------------------------------------------------===//

uint32_t Bpe::idOf(char32_t point) const {
  if (point < ids.size())
    return ids[point];
  return tokens.find(toUtf8({&point, 1})).value_or(none);
}

const Bpe::Merge *Bpe::findMerge(uint32_t left, uint32_t right) const {
  auto begin = merges.begin() + mergeBegins[left], end = merges.begin() + mergeBegins[left + 1];
  auto found =
      std::lower_bound(begin, end, right, [](const Merge &merge, uint32_t id) { return merge.right < id; });
  return found != end && found->right == right ? &*found : nullptr;
}

void Bpe::firstSymbols(std::u32string_view piece, std::vector<uint32_t> &out) const {
  bool pendingUnknown = false;
  std::string bytes;
  for (char32_t point : piece) {
    if (uint32_t id = idOf(point); id != none) {
      if (pendingUnknown)
        out.push_back(*unknown);
      pendingUnknown = false;
      out.push_back(id);
      continue;
    }
    if (byteFallback) {
      bytes.clear();
      appendUtf8(point, bytes);
      auto known = [&](char byte) { return fallbackIds[static_cast<uint8_t>(byte)] != none; };
      if (std::all_of(bytes.begin(), bytes.end(), known)) {
        for (char byte : bytes)
          out.push_back(fallbackIds[static_cast<uint8_t>(byte)]);
        continue; // a pending unknown token stays pending, as in Hugging Face's implementation
      }
    }
    if (unknown) {
      if (pendingUnknown && !fuseUnknown)
        out.push_back(*unknown);
      pendingUnknown = true;
    }
  }
  if (pendingUnknown)
    out.push_back(*unknown);
}

void Bpe::encode(std::u32string_view piece, std::vector<uint32_t> &out) const {
  if (piece.empty())
    return;
  if (ignoreMerges)
    if (std::optional<uint32_t> whole = tokens.find(toUtf8(piece))) {
      out.push_back(*whole);
      return;
    }
  std::vector<uint32_t> symbols;
  symbols.reserve(piece.size());
  firstSymbols(piece, symbols);
  if (symbols.size() <= shortPiece)
    mergeShort(symbols);
  else
    mergeLong(symbols);
  out.insert(out.end(), symbols.begin(), symbols.end());
}

void Bpe::mergeShort(std::vector<uint32_t> &symbols) const {
  size_t count = symbols.size();
  if (count < 2)
    return;
  const Merge *pairs[shortPiece];
  for (size_t i = 0; i + 1 < count; ++i)
    pairs[i] = findMerge(symbols[i], symbols[i + 1]);
  while (true) {
    size_t best = count;
    for (size_t i = 0; i + 1 < count; ++i)
      if (pairs[i] && (best == count || pairs[i]->rank < pairs[best]->rank))
        best = i;
    if (best == count)
      break;
    symbols[best] = pairs[best]->merged;
    for (size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      pairs[i] = i + 2 < count ? pairs[i + 1] : nullptr;
    }
    --count;
    pairs[best] = best + 1 < count ? findMerge(symbols[best], symbols[best + 1]) : nullptr;
    if (best > 0)
      pairs[best - 1] = findMerge(symbols[best - 1], symbols[best]);
  }
  symbols.resize(count);
}

void Bpe::mergeLong(std::vector<uint32_t> &symbols) const {
  std::vector<Symbol> chain(symbols.size());
  for (size_t i = 0; i < symbols.size(); ++i)
    chain[i] = {symbols[i], static_cast<int32_t>(i) - 1,
                i + 1 < symbols.size() ? static_cast<int32_t>(i) + 1 : -1};

  // Candidates by rank, then position. A candidate is stale when its pair has been changed in the meantime; a
  // rank names one pair, so comparing ranks tells.
  using Candidate = std::pair<uint32_t, int32_t>;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<Candidate>> candidates;
  auto propose = [&](int32_t at) {
    if (at < 0 || chain[at].next < 0)
      return;
    if (const Merge *merge = findMerge(chain[at].id, chain[chain[at].next].id))
      candidates.push({merge->rank, at});
  };
  for (size_t i = 0; i + 1 < chain.size(); ++i)
    propose(static_cast<int32_t>(i));
  while (!candidates.empty()) {
    auto [rank, at] = candidates.top();
    candidates.pop();
    Symbol &left = chain[at];
    if (left.id == none || left.next < 0)
      continue;
    Symbol &right = chain[left.next];
    const Merge *merge = findMerge(left.id, right.id);
    if (!merge || merge->rank != rank)
      continue;
    left.id = merge->merged;
    right.id = none;
    left.next = right.next;
    if (left.next >= 0)
      chain[left.next].previous = at;
    propose(left.previous);
    propose(at);
  }
  symbols.clear();
  for (int32_t at = 0; at >= 0; at = chain[at].next)
    symbols.push_back(chain[at].id);
}

} // namespace quern::runtime
