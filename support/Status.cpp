//===- Status.cpp ---------------------------------------------------------===//
#include "support/Status.h"

namespace quern {

Status Status::error(Exit exit, std::string id, std::string sentence) {
  Status status;
  status.detail = std::make_unique<Detail>(Detail{exit, std::move(id), std::move(sentence), {}, {}});
  return status;
}

Status &&Status::cause(std::string text) && {
  detail->cause = std::move(text);
  return std::move(*this);
}

Status &&Status::remedy(std::string text) && {
  detail->remedy = std::move(text);
  return std::move(*this);
}

std::string Status::message() const {
  if (ok())
    return "success";
  std::string text = "error: " + detail->sentence;
  if (!detail->cause.empty())
    text += " (" + detail->cause + ")";
  if (!detail->remedy.empty())
    text += "; " + detail->remedy;
  return text + " [" + detail->id + "]";
}

} // namespace quern
