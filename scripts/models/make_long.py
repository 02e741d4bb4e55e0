#!/usr/bin/env python3
"""Makes golden_long.{json,safetensors}: make_long.py MODELS_DIR FAMILY...

One prompt of 5000 random ids per family and the float32 logits of its last eight positions (`logits_last`), from Hugging
Face transformers. Of a few prompts the one is kept whose last positions move least under bf16 rounding.
"""
import json
import sys

import torch
import transformers

from make_tiny import compactLists, distance, gaps, loadTensors, reference, roundLikeBf16, save

LENGTH, LAST = 5000, 8


@torch.no_grad()
def make(folder):
    cfg = json.load(open(f"{folder}/config.json"))
    tensors = loadTensors(folder)
    model, half = reference(tensors, cfg), roundLikeBf16(reference(tensors, cfg))
    if cfg["model_type"] != "gemma2":  # its softcap needs the plain form
        model.set_attn_implementation("sdpa")
        half.set_attn_implementation("sdpa")
    best = None
    for seed in range(6):
        rng = torch.Generator().manual_seed(seed)
        prompt = torch.randint(3, cfg["vocab_size"], (1, LENGTH), generator=rng)
        logits = model(prompt, logits_to_keep=LAST).logits[0]
        moved = distance(logits, half(prompt, logits_to_keep=LAST).logits[0])
        rank = moved - 0.1 * (gaps(logits) > 0.1).float().mean().item()
        if best is None or rank < best[0]:
            best = (rank, prompt, logits, moved)
        if moved < 0.02:
            break
    _, prompt, logits, moved = best
    save({"t5000.logits_last": logits.contiguous()}, f"{folder}/golden_long.safetensors")
    versions = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    case = {
        "name": "t5000",
        "prompt": prompt[0].tolist(),
        "logits_last": "t5000.logits_last",
        "gap_share": round((gaps(logits) > 0.1).float().mean().item(), 4),
        "bf16_distance": moved,
    }
    golden = {"schema": "quern.golden", "schema_version": 1, "dtype": "float32", "cases": [case]}
    golden["made_by"] = {"script": "scripts/models/make_long.py"} | versions
    with open(f"{folder}/golden_long.json", "w") as file:
        file.write(compactLists(json.dumps(golden, indent=1)) + "\n")
    print(folder, "bf16", moved, "gap share", case["gap_share"])


def main():
    torch.set_num_threads(1)
    for name in sys.argv[2:]:
        make(f"{sys.argv[1]}/{name}")


main()
