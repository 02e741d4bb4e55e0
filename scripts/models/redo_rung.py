#!/usr/bin/env python3
"""Makes the fp8 rung's part of committed goldens again: redo_rung.py MODEL_DIR...

For a change of the rung in v3_torch.py that leaves prompts, logits and continuations as they are: `logits_fp8`,
`fp8_distance` and `fp8_spread` of every case.
"""
import json
import sys

import safetensors.torch
import torch

from make_tiny import Golden, compactLists, distance, loadTensors, save


@torch.no_grad()
def redo(folder):
    golden = json.load(open(f"{folder}/golden.json"))
    arrays = safetensors.torch.load_file(f"{folder}/golden.safetensors")
    models = Golden(loadTensors(folder), json.load(open(f"{folder}/config.json")))
    for case in golden["cases"]:
        prompt = torch.tensor([case["prompt"]])
        logits, old = arrays[case["logits"]], (case["fp8_distance"], case["fp8_spread"])
        assert (models.own.head(models.own.hidden(prompt))[0] - logits).abs().max() < 2e-3
        other, free = models.rungs(prompt)
        case["fp8_distance"], case["fp8_spread"] = distance(logits, other), distance(other, free)
        if "logits_fp8" in case:
            arrays[case["logits_fp8"]] = other.contiguous()
        print(folder.rsplit("/", 1)[-1], case["name"], "distance and spread", *old, "->", case["fp8_distance"], case["fp8_spread"])
    save(arrays, f"{folder}/golden.safetensors")
    with open(f"{folder}/golden.json", "w") as file:
        file.write(compactLists(json.dumps(golden, indent=1)) + "\n")


def main():
    torch.set_num_threads(1)
    for folder in sys.argv[1:]:
        redo(folder)


main()
