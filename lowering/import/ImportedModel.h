//===- ImportedModel.h - A checkpoint directory, read and checked ----------===//
//
// Everything that is known about a model before MLIR comes in: what `quern import` prints and what the module
// is built from.
//
//   QUERN_ASSIGN_OR_RETURN(ImportedModel model, readModel(directory));
//   print(model.census());                        // faults and all
//   QUERN_RETURN_IF_ERROR(model.census().status());
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_IMPORTEDMODEL_H
#define QUERN_LOWERING_IMPORT_IMPORTEDMODEL_H

#include "lowering/import/Census.h"

#include <functional>

namespace quern::import {

struct ReadOptions {
  std::string family;      ///< a family file; empty: the families that ship
  bool configOnly = false; ///< leave weights alone even where there are some
};

/// Movable; what it hands out stays where it is.
class ImportedModel {
public:
  const std::string &directory() const { return content->directory; }
  const Family &family() const { return content->family; }
  const ModelConfig &config() const { return content->config; }
  const ModelGraph &graph() const { return content->graph; }
  const Census &census() const { return content->census; }
  /// Null for a directory that holds a configuration alone.
  const Checkpoint *checkpoint() const { return content->checkpoint ? &*content->checkpoint : nullptr; }

private:
  friend Expected<ImportedModel> readModel(const std::string &directory, const ReadOptions &options);
  struct Content {
    std::string directory;
    Family family;
    ModelConfig config;
    ModelGraph graph;
    std::optional<Checkpoint> checkpoint;
    Census census; ///< points into graph and checkpoint
  };
  explicit ImportedModel(std::unique_ptr<Content> content) : content(std::move(content)) {}
  std::unique_ptr<const Content> content;
};

/// Reads config.json, finds the family, resolves its graph, opens the checkpoint where there is one (its
/// headers only) and takes the census. |directory| may be a config.json: then there is no checkpoint. Faults
/// of the checkpoint's tensors are no error here: ask the census.
Expected<ImportedModel> readModel(const std::string &directory, const ReadOptions &options = {});

/// Scans the codes of every fp8 tensor in use for NaN. Exit::BadInput "E-TENSOR-NAN"; Exit::Interrupted after
/// Ctrl-C. Reads all of their bytes, `fp8Bytes`; |progress| is told how many since the last call.
Status checkFp8Codes(const ImportedModel &model, const std::function<void(uint64_t)> &progress = {});
uint64_t fp8Bytes(const ImportedModel &model);

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_IMPORTEDMODEL_H
