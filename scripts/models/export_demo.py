#!/usr/bin/env python3
"""Writes the trained demo as a sharded fp8 checkpoint: export_demo.py WORK_DIR OUT_DIR

WORK_DIR holds state.pt (train_demo.py), tokenizer.json and tokenizer_config.json. Linears become e4m3 codes with one
f32 scale per 128x128 block, the router bias stays f32, everything else bf16. The MTP layer's copies of
embedding and head are left out (they are the main model's).
"""
import json
import os
import shutil
import sys

import safetensors.torch
import torch

from v3_torch import isFp8, quantiseWeight, toHub

HERE = os.path.dirname(os.path.abspath(__file__))
SHARD_BYTES = 1900 * 1024


def main():
    work, out = sys.argv[1:3]
    os.makedirs(out, exist_ok=True)
    tensors = {}
    for name, value in toHub(torch.load(f"{work}/state.pt", map_location="cpu")).items():
        if isFp8(name):
            tensors[name], tensors[name + "_scale_inv"] = quantiseWeight(value)
        else:
            tensors[name] = value.float() if name.endswith("e_score_correction_bias") else value.bfloat16()
    # The scales come last: a weight and its scale lie in different shards, as they may.
    tensors = dict(sorted(tensors.items(), key=lambda item: item[0].endswith("_scale_inv")))
    shards, size = [{}], 0
    for name, value in tensors.items():
        if size + value.nbytes > SHARD_BYTES:
            shards.append({})
            size = 0
        shards[-1][name] = value.contiguous()
        size += value.nbytes
    total = sum(value.nbytes for value in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": {}}
    for i, shard in enumerate(shards):
        file = f"model-{i + 1:05}-of-{len(shards):06}.safetensors"
        safetensors.torch.save_file(shard, f"{out}/{file}", metadata={"format": "pt"})
        os.chmod(f"{out}/{file}", 0o644)
        index["weight_map"] |= {name: file for name in shard}
    index["weight_map"] = dict(sorted(index["weight_map"].items()))
    generation = {"_from_model_config": True, "bos_token_id": 0, "do_sample": True, "eos_token_id": 1}
    generation |= {"temperature": 0.6, "top_p": 0.95}
    for file, value in (("model.safetensors.index.json", index), ("generation_config.json", generation)):
        with open(f"{out}/{file}", "w") as stream:
            json.dump(value, stream, indent=1)
            stream.write("\n")
    shutil.copy(f"{HERE}/demo_config.json", f"{out}/config.json")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(f"{work}/{file}", f"{out}/{file}")
    print(f"{len(tensors)} tensors, {total} bytes in {len(shards)} shards")


main()
