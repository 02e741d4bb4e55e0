#!/usr/bin/env python3
"""Trains the demo model on the text of prepare_text.py: train_demo.py TEXT.jsonl WORK_DIR MINUTES [--resume]

WORK_DIR holds tokenizer.json (make_tokenizer.py) and receives state.pt, rewritten every few minutes; the run is
single-threaded and ends after MINUTES of wall time, to which the learning-rate schedule is tied (constant,
then linear to zero over the last 45 %; a resumed run goes from 40 % linearly to zero). Matrices are trained with Muon (momentum, then an orthogonalised
update), the rest with Adam. The router bias is moved by the sign of each expert's load error after
every step (no auxiliary loss) and held still for the last tenth.
"""
import json
import os
import random
import sys
import time

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from v3_torch import Model, Moe

HERE = os.path.dirname(os.path.abspath(__file__))
LENGTH, BATCH, MTP_WEIGHT, BIAS_STEP = 256, 16, 0.2, 0.002
USER, ASSISTANT = 2040, 2041


def documents(rows, tokenizer, rng):
    """One epoch: chapters in random order, as titled text, as text from a random line, or as a chat turn that gives
    the opening words and asks for the rest."""
    rng.shuffle(rows)
    stream = []

    def ids(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    for row in rows:
        kind, text = rng.random(), row["text"]
        if kind < 0.4:
            stream += [0] + ids(f"{row['book']} {row['chapter']}\n{text}") + [1]
            continue
        lines = text.split("\n")
        text = "\n".join(lines[rng.randrange(len(lines)) if kind < 0.85 else 0 :])
        words = text.split(" ")
        if kind < 0.7 or len(words) < 40:
            stream += [0] + ids(text) + [1]
        else:
            n = rng.randint(2, 20)
            head, rest = " ".join(words[:n]), " ".join(words[n:])
            stream += [0, USER] + ids(head) + [ASSISTANT] + ids(rest) + [1]
    return torch.tensor(stream)


def orthogonalise(g):
    """Five Newton-Schulz steps towards the nearest semi-orthogonal matrix, batched over leading dimensions."""
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.mT if tall else x).float()


class Muon:
    def __init__(self, params, rate=0.02, momentum=0.95, decay=0.05):
        self.params, self.rate, self.momentum, self.decay = list(params), rate, momentum, decay
        self.buffers = [torch.zeros_like(p) for p in self.params]

    @torch.no_grad()
    def step(self, factor):
        groups = {}
        for p, m in zip(self.params, self.buffers):
            m.lerp_(p.grad, 1 - self.momentum)
            update = p.grad.lerp(m, self.momentum)
            for i, part in enumerate(update if update.dim() == 3 else update[None]):
                groups.setdefault(part.shape, []).append((p[i] if p.dim() == 3 else p, part))
        for shape, parts in groups.items():
            updates = orthogonalise(torch.stack([part for _, part in parts]))
            rate = self.rate * factor * max(1.0, shape[0] / shape[1]) ** 0.5
            for (p, _), u in zip(parts, updates):
                p.mul_(1 - self.rate * factor * self.decay).add_(u, alpha=-rate)


def losses(model, ids):
    """Mean cross entropy of the main model and of the MTP head (which predicts one token further). The role tokens are no
    targets: the chat template writes them, the model must not."""
    truth = ids.masked_fill(ids >= USER, -100)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.hidden(ids[:, :-2])
        main = F.cross_entropy(model.head(hidden).flatten(0, 1), truth[:, 1:-1].flatten())
        ahead = model.draft(hidden, ids[:, 1:-1])
        extra = F.cross_entropy(model.head(ahead).flatten(0, 1), truth[:, 2:].flatten())
    return main, extra


def main():
    text, work, minutes = sys.argv[1], sys.argv[2], float(sys.argv[3])
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rng = random.Random(2 if "--resume" in sys.argv else 1)
    tokenizer = Tokenizer.from_file(f"{work}/tokenizer.json")
    rows = [row for row in map(json.loads, open(text, encoding="utf-8")) if row["split"] == "train"]
    model = Model(json.load(open(f"{HERE}/demo_config.json")) | {"max_position_embeddings": 4 * LENGTH})
    muon, adam = [], []
    for name, p in model.named_parameters():
        if p.dim() < 2 or name.startswith(("embed_tokens", "lm_head")) or name.endswith(".gate.weight"):
            adam.append((name, p))
        else:
            with torch.no_grad():  # residual branches start small
                p.mul_(0.1 if name.endswith(("o_proj.weight", "down_proj", "down_proj.weight")) else 0.7)
            muon.append(p)
    model.lm_head.weight.data.mul_(0.3)
    resume = "--resume" in sys.argv
    if resume:
        model.load_state_dict(torch.load(f"{work}/state.pt"))
    print(f"{sum(p.numel() for p in model.parameters())} parameters")
    muon = Muon(muon)
    tables = [p for n, p in adam if n.startswith(("embed_tokens", "lm_head"))]
    rest = [p for n, p in adam if not n.startswith(("embed_tokens", "lm_head"))]
    adam = torch.optim.AdamW(
        [{"params": tables, "base": 4e-3}, {"params": rest, "base": 2e-3}], betas=(0.9, 0.97), weight_decay=0.0
    )
    moes = [m for m in model.modules() if isinstance(m, Moe)]
    stream, at, step, seen = documents(rows, tokenizer, rng), 0, 0, 0
    start = saved = time.time()
    while (done := (time.time() - start) / (60 * minutes)) < 1:
        factor = min(1.0, (step + 1) / 100, 0.4 * (1 - done) if resume else (1 - done) / 0.45)
        stretch = 1 if done < 0.75 else 4  # the last quarter sees longer texts
        length, batch = stretch * LENGTH, BATCH // stretch
        need = batch * length + 2
        if at + need > len(stream):
            stream, at = documents(rows, tokenizer, rng), 0
        piece = stream[at : at + need]
        at += need - 2
        ids = torch.stack([piece[i * length : (i + 1) * length + 2] for i in range(batch)])
        main, extra = losses(model, ids)
        (main + MTP_WEIGHT * extra).backward()
        torch.nn.utils.clip_grad_norm_(rest + tables, 1.0)
        for group in adam.param_groups:
            group["lr"] = group["base"] * factor
        adam.step()
        muon.step(factor)
        model.zero_grad(set_to_none=True)
        if done < 0.9:
            for moe in moes:
                load = moe.load.float()
                moe.gate.e_score_correction_bias += BIAS_STEP * torch.sign(load.mean() - load)
        step, seen = step + 1, seen + batch * length
        if step % 25 == 0:
            low = min((m.load.min() / (batch * length)).item() for m in moes)
            rate = seen / (time.time() - start)
            print(f"{step} {done:.3f} loss {main:.3f} mtp {extra:.3f} least load {low:.3f} {rate:.0f} tok/s", flush=True)
        if time.time() - saved > 240:
            torch.save(model.state_dict(), f"{work}/state.pt.part")
            os.replace(f"{work}/state.pt.part", f"{work}/state.pt")
            saved = time.time()
    torch.save(model.state_dict(), f"{work}/state.pt")
    print(f"finished: {step} steps, {seen} tokens, {len(stream)} tokens per epoch")


if __name__ == "__main__":
    main()
