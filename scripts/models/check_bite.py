#!/usr/bin/env python3
"""Proves that the goldens bite: check_bite.py MODELS_DIR [FAMILY...]

For every tensor of every checkpoint, one at a time: set to zero; rows rolled by one; columns rolled by one (a tensor of
one element is only set to zero). The logits of the golden prompts must then leave the tolerance
(some top-1 log-probability moves by more than 0.05, or an argmax changes): the smallest movement of any
damage is printed per family, and a tensor that does not bite makes the exit code 1. Tensors of an MTP layer
are judged by `mtp_logits`; its copies of embedding and head are no inputs of the computation and are listed.
"""
import json
import sys

import safetensors.torch
import torch

import v3_torch
from make_tiny import loadTensors, plainTensors, reference

TOLERANCE = 0.05


def views(model, cfg, tensors):
    """Hub name -> the part of the transformers model that holds the tensor."""
    state = dict(model.named_parameters()) | dict(model.named_buffers())
    found = {}
    for name in tensors:
        inner = name.replace(".block_sparse_moe.", ".mlp.")
        if ".experts." not in name:
            found[name] = state.get(inner)
            continue
        stem, index, part, _ = inner.rsplit(".", 3)
        if part in ("down_proj", "w2"):
            found[name] = state.get(f"{stem}.down_proj")
        else:
            found[name] = state.get(f"{stem}.gate_up_proj")
        if found[name] is not None:
            value, half = found[name][int(index)], found[name].shape[1] // 2
            if part in ("gate_proj", "w1"):
                value = value[:half]
            elif part in ("up_proj", "w3"):
                value = value[half:]
            found[name] = value
    return found


def ownViews(own, last):
    """The same for the MTP layer of the plain torch model."""
    found = {}
    for name, value in v3_torch.toHub(own.state_dict(keep_vars=True)).items():
        if name.startswith(f"model.layers.{last}."):
            found[name] = value
    return found


def damages(value):
    if value.numel() == 1:
        return [("zero", torch.zeros_like(value))]
    out = [("zero", torch.zeros_like(value.float()).to(value.dtype))]
    raw = value.view(torch.uint8) if value.dtype == torch.float8_e4m3fn else value
    for axis, kind in enumerate(("rows", "columns")[: value.dim()]):
        rolled = raw.roll(1, axis)
        if value.shape[axis] > 1 and not torch.equal(raw, rolled):  # scales that are powers of two repeat
            out.append((kind, rolled.view(value.dtype)))
    return out


# Config entries whose meaning must show in the logits, with a wrong value (a dotted key lies in an inner object).
WRONG = {
    "rope_theta": lambda v: v * 2,
    "rope_scaling": lambda v: None,
    "rope_scaling.factor": lambda v: v * 2,
    "rope_scaling.low_freq_factor": lambda v: v * 2,
    "rope_scaling.high_freq_factor": lambda v: v * 2,
    "rope_scaling.original_max_position_embeddings": lambda v: v * 2,
    "rope_scaling.beta_fast": lambda v: v / 4,
    "rope_scaling.beta_slow": lambda v: v * 16,
    "rope_scaling.mscale_all_dim": lambda v: 0.5 * v,
    "partial_rotary_factor": lambda v: 1.0,
    "norm_topk_prob": lambda v: not v,
    "num_experts_per_tok": lambda v: v - 1,
    "topk_group": lambda v: v - 1,
    "n_group": lambda v: v // 2,
    "topk_method": lambda v: "greedy",
    "routed_scaling_factor": lambda v: v * 1.1,
    "sliding_window": lambda v: v + 1,
    "query_pre_attn_scalar": lambda v: v + 8,
    "attn_logit_softcapping": lambda v: v * 2,
    "final_logit_softcapping": lambda v: v * 2,
    "embedding_multiplier": lambda v: v * 1.1,
    "residual_multiplier": lambda v: v * 1.1,
    "attention_multiplier": lambda v: v * 1.1,
    "logits_scaling": lambda v: v * 1.1,
    "hidden_act": lambda v: "relu",
    "hidden_activation": lambda v: "silu",
}


def wrongConfigs(cfg):
    for path, change in WRONG.items():
        outer, _, inner = path.partition(".")
        holder = cfg.get(outer) if inner else cfg
        key = inner or outer
        if isinstance(holder, dict) and holder.get(key) is not None:
            if key == "sliding_window" and not cfg["model_type"].startswith("gemma"):
                continue  # not in force
            if key in ("topk_group", "n_group") and cfg["n_group"] == 1:
                continue
            if key == "beta_slow" and holder["beta_fast"] == holder["beta_slow"]:
                continue  # both ends of the ramp are one, and the ramp a step either way
            if key == "norm_topk_prob" and cfg["model_type"] == "deepseek_v2":
                continue  # not read by transformers
            if key == "hidden_act" and "hidden_activation" in cfg or key == "topk_method" and cfg["n_group"] == 1:
                continue
            if key == "topk_method" and cfg["model_type"] == "deepseek_v3":
                continue
            wrong = json.loads(json.dumps(cfg))
            (wrong[outer] if inner else wrong)[key] = change(holder[key])
            yield path, wrong


def moved(logits, golden):
    top = golden.argmax(-1, keepdim=True)
    if (logits.argmax(-1, keepdim=True) != top).any():
        return 99.0
    return (logits.log_softmax(-1).gather(1, top) - golden.log_softmax(-1).gather(1, top)).abs().max().item()


@torch.no_grad()
def check(folder):
    cfg = json.load(open(f"{folder}/config.json"))
    tensors = loadTensors(folder)
    golden = json.load(open(f"{folder}/golden.json"))
    arrays = safetensors.torch.load_file(f"{folder}/golden.safetensors")
    cases = sorted(golden["cases"], key=lambda case: -len(case["prompt"]))
    model = reference(tensors, cfg)
    own = v3_torch.fromHub(tensors, cfg) if cfg["model_type"] == "deepseek_v3" else None
    last = cfg["num_hidden_layers"]
    places = views(model, cfg, tensors)
    if own:
        places |= ownViews(own, last)
    copies = [f"model.layers.{last}.embed_tokens.weight", f"model.layers.{last}.shared_head.head.weight"]

    def run(mtp):
        """Largest movement over the cases; stops at the first case beyond the tolerance."""
        worst = 0.0
        for case in cases:
            ids = torch.tensor([case["prompt"]])
            if mtp and "mtp_logits" not in case:
                continue
            if mtp:
                logits = own.head(own.draft(own.hidden(ids[:, :-1]), ids[:, 1:]))[0]
                worst = max(worst, moved(logits, arrays[case["mtp_logits"]]))
            else:
                worst = max(worst, moved(model(ids).logits[0], arrays[case["logits"]]))
            if worst > TOLERANCE:
                break
        return worst

    assert run(False) < 1e-3 and (not own or run(True) < 1e-3)
    least, count, silent, skipped = (99.0, ""), 0, [], []
    for name, value in tensors.items():
        if name in copies and own:
            skipped.append(name)
            continue
        base = name.removesuffix("_scale_inv")
        place = places[base]
        before = place.detach().clone()
        mtp = own is not None and name.startswith(f"model.layers.{last}.")
        for kind, damaged in damages(value):
            pair = {base: tensors[base], base + "_scale_inv": tensors.get(base + "_scale_inv")} | {name: damaged}
            place.copy_(plainTensors({k: v for k, v in pair.items() if v is not None})[base].view_as(place))
            change = run(mtp)
            count += 1
            least = min(least, (change, f"{name} {kind}"))
            if change <= TOLERANCE:
                silent.append(f"{name} {kind} {change:.4f}")
        place.copy_(before)
    entries = 0
    for path, wrong in wrongConfigs(cfg):
        model = reference(tensors, wrong)
        change, entries = run(False), entries + 1
        if change <= TOLERANCE:
            silent.append(f"config {path} {change:.4f}")
    found = f"least movement {least[0]:.3f} ({least[1]})" if least[0] < 99 else "each changes an argmax"
    print(f"{folder.rsplit('/', 1)[-1]}: {len(tensors)} tensors, {count} damages, {found}; {entries} config entries")
    for name in skipped:
        print(f"  not an input: {name}")
    for name in silent:
        print(f"  DOES NOT BITE: {name}")
    return not silent


def main():
    torch.set_num_threads(1)
    good = [check(f"{sys.argv[1]}/{name}") for name in sys.argv[2:]]
    sys.exit(0 if all(good) else 1)


main()
