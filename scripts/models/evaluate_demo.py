#!/usr/bin/env python3
"""Measures the exported demo checkpoint: evaluate_demo.py MODEL_DIR TEXT.jsonl [--fp8]

Prints three numbers, on the fp8 weights as they are stored (scale * code): held-out bits per byte (every chapter of the
held-out books of prepare_text.py, each from its beginning), acceptance of the MTP head (over the held-out
text: its guess against the main model's; and in greedy generation), and the share of tokens of the least
used expert. With --fp8 the inputs of the fp8 linears are quantised 1x128 and results rounded to bf16, too.
"""
import json
import math
import sys

import safetensors.torch
import torch
from tokenizers import Tokenizer

from v3_torch import Moe, Rung, fromHub

LONGEST = 2048


def load(folder):
    config = json.load(open(f"{folder}/config.json"))
    index = json.load(open(f"{folder}/model.safetensors.index.json"))
    tensors = {}
    for file in sorted(set(index["weight_map"].values())):
        tensors |= safetensors.torch.load_file(f"{folder}/{file}")
    return fromHub(tensors, config), Tokenizer.from_file(f"{folder}/tokenizer.json"), config


def generate(model, prompt, steps):
    """Greedy, without a cache: plain and slow."""
    ids = prompt
    for _ in range(steps):
        step = model.head(model.hidden(ids[:, -512:])[:, -1:]).argmax(-1)
        ids = torch.cat((ids, step), 1)
    return ids


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    model, tokenizer, config = load(sys.argv[1])
    if "--fp8" in sys.argv:
        Rung.quantiseActivations = Rung.roundResults = True
    rows = [row for row in map(json.loads, open(sys.argv[2], encoding="utf-8")) if row["split"] == "held"]
    moes = [m for m in model.modules() if isinstance(m, Moe)]
    load_ = [torch.zeros(config["n_routed_experts"]) for _ in moes]
    bits, size, tokens, agreed, drafted = 0.0, 0, 0, 0, 0
    for row in rows:
        ids = [0] + tokenizer.encode(row["text"], add_special_tokens=False).ids
        for at in range(0, len(ids), LONGEST):
            # A piece after the first is fed from the begin-of-text token, too.
            piece = torch.tensor([([0] if at else []) + ids[at : at + LONGEST]])
            hidden = model.hidden(piece)
            logits = model.head(hidden)[0]
            chosen = logits.log_softmax(-1)[:-1].gather(1, piece[0, 1:, None])
            bits -= chosen.sum().item() / math.log(2)
            # A draft is made with the token that the main model prefers, as in generation with the text as prompt.
            following = torch.cat((piece[:, 1:], logits[-1:].argmax(-1)[None]), 1)
            drafts = model.head(model.draft(hidden, following))[0].argmax(-1)
            agreed += (drafts[:-1] == logits[1:].argmax(-1)).sum().item()
            drafted += piece.shape[1] - 1
            tokens += piece.shape[1]
            for sums, moe in zip(load_, moes):
                sums += moe.load
        size += len(row["text"].encode())
    right, guesses = 0, 0
    for row in rows[::6]:
        ids = [0] + tokenizer.encode(row["text"], add_special_tokens=False).ids[:32]
        out = generate(model, torch.tensor([ids]), 64)
        hidden = model.hidden(out)
        drafts = model.head(model.draft(hidden[:, :-1], out[:, 1:]))[0].argmax(-1)[len(ids) - 1 : -1]
        right += (drafts == out[0, len(ids) + 1 :]).sum().item()
        guesses += len(drafts)
    least = min((sums / tokens).min().item() for sums in load_)
    goal = 1 / (4 * config["n_routed_experts"])
    print(f"held-out text: {size} bytes, {tokens} tokens, {len(rows)} chapters")
    print(f"bits per byte: {bits / size:.4f} (goal <= 2.2)")
    print(f"MTP acceptance: {agreed / drafted:.4f} on held-out text, {right / guesses:.4f} in greedy generation (goal >= 0.30)")
    print(f"least used expert: {least:.4f} of tokens (goal >= {goal:.4f})")
    for i, sums in enumerate(load_):
        print(f"  MoE layer {i + 1}: " + " ".join(f"{x:.3f}" for x in (sums / tokens).tolist()))


main()
