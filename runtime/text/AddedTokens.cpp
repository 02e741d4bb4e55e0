//===- AddedTokens.cpp ----------------------------------------------------===//
#include "runtime/text/AddedTokens.h"

#include <algorithm>

namespace quern::runtime {

AddedTokenMatcher::AddedTokenMatcher() : nodes(1), firsts(256), words(wordSet()), spaces(spaceSet()) {}

void AddedTokenMatcher::add(const AddedToken &token, std::u32string content) {
  if (content.empty())
    return;
  firsts[content[0] & 0xFF] = true;
  uint32_t node = 0;
  for (char32_t point : content) {
    auto &children = nodes[node].children;
    auto place = std::lower_bound(children.begin(), children.end(), std::make_pair(point, uint32_t(0)));
    if (place == children.end() || place->first != point) {
      place = children.insert(place, {point, static_cast<uint32_t>(nodes.size())});
      node = place->second;
      nodes.emplace_back();
    } else {
      node = place->second;
    }
  }
  if (nodes[node].token < 0) // of two tokens that normalise to one text the first counts
    nodes[node].token = static_cast<int32_t>(tokens.size());
  bool blank =
      std::all_of(content.begin(), content.end(), [&](char32_t point) { return spaces.contains(point); });
  tokens.push_back({token, blank});
}

const AddedTokenMatcher::Entry *AddedTokenMatcher::longestAt(const MarkedText &text, size_t at,
                                                             size_t &end) const {
  if (!firsts[text.text[at] & 0xFF])
    return nullptr;
  const Entry *longest = nullptr;
  uint32_t node = 0;
  bool plain = false;
  for (size_t i = at; i < text.text.size(); ++i) {
    const auto &children = nodes[node].children;
    auto place =
        std::lower_bound(children.begin(), children.end(), std::make_pair(text.text[i], uint32_t(0)));
    if (place == children.end() || place->first != text.text[i])
      break;
    node = place->second;
    plain |= !text.plain.empty() && text.plain[i];
    if (nodes[node].token >= 0 && (!plain || tokens[nodes[node].token].blank)) {
      longest = &tokens[nodes[node].token];
      end = i + 1;
    }
  }
  return longest;
}

std::vector<AddedTokenMatcher::Part> AddedTokenMatcher::split(const MarkedText &marked) const {
  const std::u32string &text = marked.text;
  std::vector<Part> parts;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = 0;
    const Entry *entry = tokens.empty() ? nullptr : longestAt(marked, at, end);
    if (!entry) {
      ++at;
      continue;
    }
    size_t begin = at;
    at = end; // the search goes on behind the token itself, whatever is stripped
    const AddedToken &token = entry->token;
    if (token.singleWord &&
        ((begin > 0 && words.contains(text[begin - 1])) || (end < text.size() && words.contains(text[end]))))
      continue;
    if (token.lstrip) {
      while (begin > done && spaces.contains(text[begin - 1]))
        --begin;
      begin = std::max(begin, done);
    }
    if (token.rstrip)
      while (end < text.size() && spaces.contains(text[end]))
        ++end;
    if (done < begin)
      parts.push_back({done, begin, nullptr});
    parts.push_back({begin, end, &token});
    done = end;
  }
  if (done < text.size())
    parts.push_back({done, text.size(), nullptr});
  return parts;
}

} // namespace quern::runtime
