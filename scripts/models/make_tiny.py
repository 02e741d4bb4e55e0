#!/usr/bin/env python3
"""Makes the tiny checkpoints and their goldens: make_tiny.py OUT_DIR [FAMILY...]   (OUT_DIR: tests/models)

Weights are random (seeded) and stored under the hub's names and dtypes. Logits and greedy continuations come from
Hugging Face transformers in float32 on the stored weights; fp8 weights are multiplied out exactly (scale *
code, float32). transformers has no MTP layer and no fp8 rung on a CPU: `mtp_logits` and `logits_fp8` come
from v3_torch.py, whose main model is checked here against transformers.

Prompts are searched: each token is drawn until the router (if any) keeps a margin between chosen and not chosen
experts, so that a bf16 computation does not flip an expert; the last token is the one whose greedy
continuation keeps the widest top-1/top-2 gaps. The searches are seeded.
"""
import copy
import glob
import json
import os
import re
import sys
import tempfile

import safetensors.torch
import torch
import transformers
from transformers import AutoModelForCausalLM

import v3_torch
from tiny_families import FAMILIES, SEEDS

LENGTHS = [1, 7, 33, 70]
GREEDY = {"llama": 256, "deepseek_v3": 256}
SHORT, TRIES = 32, 64
# Cases whose first prompts had a row that bf16 sent to another expert, or a row of the draft head that the order of a
# sum moved beyond the bound, on our side: searched again with this seed and
# margin.
AGAIN = {("deepseek_v3", 33): (1107, 0.08)}
SHARDS = {"qwen3_moe": 2, "deepseek_v2_group": 3}


def gain(name, cfg):
    """Deviation of a weight's entries times sqrt(fan-in)."""
    if "lm_head" in name or "shared_head.head" in name:
        return 2.2
    if name.endswith("embed_tokens.weight"):
        return 2.2 * cfg.get("logits_scaling", 1.0) if cfg["tie_word_embeddings"] else cfg["hidden_size"] ** 0.5
    if name.endswith(("mlp.gate.weight", "block_sparse_moe.gate.weight")):
        return 1.6
    # What a layer adds is kept below the residual, far below for fp8: 1x128 quantisation disturbs a random network by
    # about a tenth of every branch, and two right implementations would otherwise not agree on tokens.
    branch = 0.13 if "quantization_config" in cfg else 0.5
    branch /= cfg.get("residual_multiplier", 1.0)
    if ".experts." in name and name.endswith(("down_proj.weight", "w2.weight")):
        return 2.0 * branch
    if name.endswith(("down_proj.weight", "w2.weight", "o_proj.weight")):
        return 1.4 * branch
    return 1.4 if name.endswith("v_proj.weight") else 1.1


def draw(name, shape, cfg, rng):
    def normal(std):
        return torch.randn(shape, generator=rng) * std

    def uniform(low, high):
        return torch.rand(shape, generator=rng) * (high - low) + low

    if name.endswith("e_score_correction_bias"):
        return normal(0.12)
    gemma = float(cfg["model_type"].startswith("gemma"))  # its norms multiply by 1 + weight
    if name == "model.norm.weight" and cfg["tie_word_embeddings"]:
        # Random signs: else the next token would always be the last one, whose embedding is also its row of the head.
        return uniform(0.5, 1.5) * (1 - 2 * torch.randint(0, 2, shape, generator=rng)) - gemma
    if name.endswith("norm.weight"):
        return uniform(0.5, 1.5) - gemma
    if len(shape) == 1:
        return normal(0.4)
    return normal(gain(name, cfg) / shape[1] ** 0.5)


def hubNames(model, cfg):
    """Name -> shape of every stored tensor, from the state of the transformers model: fused experts are split."""
    names = {}
    for name, value in model.state_dict().items():
        if name == "lm_head.weight" and cfg["tie_word_embeddings"]:
            continue
        if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            block = name.replace(".mlp.", ".block_sparse_moe.") if cfg["model_type"] == "mixtral" else name
            names[block] = tuple(value.shape)
            continue
        stem, kind = name.rsplit(".", 1)
        rows, cols = value.shape[1:]
        for i in range(value.shape[0]):
            if cfg["model_type"] == "mixtral":
                stem = stem.replace(".mlp.", ".block_sparse_moe.")
                parts = {"gate_up_proj": ["w1", "w3"], "down_proj": ["w2"]}[kind]
            else:
                parts = {"gate_up_proj": ["gate_proj", "up_proj"], "down_proj": ["down_proj"]}[kind]
            for part in parts:
                names[f"{stem}.{i}.{part}.weight"] = (rows // len(parts), cols)
    if cfg.get("num_nextn_predict_layers"):
        last, h = cfg["num_hidden_layers"], cfg["hidden_size"]
        prefix = f"model.layers.{last}."
        for name, shape in list(names.items()):
            if name.startswith(f"model.layers.{last - 1}."):
                names[prefix + name.split(".", 3)[3]] = shape
        for part in ("enorm.weight", "hnorm.weight", "shared_head.norm.weight"):
            names[prefix + part] = (h,)
        names[prefix + "eh_proj.weight"] = (h, 2 * h)
        names[prefix + "embed_tokens.weight"] = names[prefix + "shared_head.head.weight"] = (cfg["vocab_size"], h)
    return names


def isUe8m0(cfg):
    return cfg.get("quantization_config", {}).get("scale_fmt") == "ue8m0"


def knownConfig(cfg):
    """The config as transformers takes it: without the quantisation, and of a model type that it knows."""
    plain = {k: v for k, v in copy.deepcopy(cfg).items() if k != "quantization_config"}
    if plain["model_type"] == "kimi_k2":  # its own modelling code is that of deepseek_v3
        plain["model_type"] = "deepseek_v3"
    return plain


def makeWeights(model, cfg, seed):
    rng = torch.Generator().manual_seed(seed)
    fp8, out = "quantization_config" in cfg, {}
    last = cfg["num_hidden_layers"]
    for name, shape in sorted(hubNames(model, cfg).items()):
        value = draw(name, shape, cfg, rng)
        if name == f"model.layers.{last}.embed_tokens.weight":
            value = out["model.embed_tokens.weight"].clone()
        elif name == f"model.layers.{last}.shared_head.head.weight":
            value = out["lm_head.weight"].clone()
        elif fp8 and v3_torch.isFp8(name):
            tiles = [-(-n // 128) for n in shape]
            factor = torch.exp2(torch.rand(tiles, generator=rng) * 2 - 1)  # every block at its own level
            full = factor.repeat_interleave(128, 0)[: shape[0]].repeat_interleave(128, 1)[:, : shape[1]]
            out[name], out[name + "_scale_inv"] = v3_torch.quantiseWeight(value * full, isUe8m0(cfg))
            continue
        out[name] = value.clone() if name.endswith("e_score_correction_bias") else value.bfloat16()
    return out


def plainTensors(tensors):
    """What transformers computes on: float32, fp8 multiplied out."""
    out = {}
    for name, value in tensors.items():
        if name.endswith("_scale_inv"):
            continue
        if value.dtype == torch.float8_e4m3fn:
            value = v3_torch.dequantiseWeight(value, tensors[name + "_scale_inv"])
        out[name] = value.float()
    return out


def reference(tensors, cfg):
    """The transformers model, loaded by its own loader from a checkpoint under the hub's names."""
    last = cfg["num_hidden_layers"]
    plain = {k: v for k, v in plainTensors(tensors).items() if not k.startswith(f"model.layers.{last}.")}
    with tempfile.TemporaryDirectory() as folder:
        safetensors.torch.save_file(plain, f"{folder}/model.safetensors", metadata={"format": "pt"})
        with open(f"{folder}/config.json", "w") as file:
            json.dump(knownConfig(cfg), file)
        model, info = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not info[problem], (problem, info[problem])
    return model.eval()


def roundLikeBf16(model):
    """Makes a float32 model round to bf16 wherever an operator hands a result on: outputs and inputs of linears, norms,
    embedding, experts and layers. Tables, softmax, router and logits stay float32."""

    def rounding(x):
        return x.bfloat16().float() if torch.is_tensor(x) and x.is_floating_point() else x

    for name, module in model.named_modules():
        kind = type(module).__name__
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(lambda _, inputs: tuple(rounding(x) for x in inputs))
        inner = kind.endswith(("RMSNorm", "Experts", "DecoderLayer", "Embedding")) and "Rotary" not in kind
        if inner or (isinstance(module, torch.nn.Linear) and name != "lm_head"):
            module.register_forward_hook(lambda _, inputs, out: rounding(out))
    return model


class Margins:
    """Watches every router of a transformers model and keeps, per token of the last call, the smallest distance
    (in units of a logit) between an expert or group taken and the best one left out."""

    def __init__(self, model, cfg):
        self.cfg, self.least = cfg, None
        for module in model.modules():
            if type(module).__name__.endswith(("TopkRouter", "TopKRouter")):
                module.register_forward_hook(self.see)

    def see(self, module, inputs, output):
        c, k = self.cfg, self.cfg["num_experts_per_tok"]
        score, unit = output[0].float(), 1.0
        if c.get("scoring_func") == "sigmoid":
            score, unit = score.sigmoid() + module.e_score_correction_bias, 0.25
        margin = torch.full((score.shape[0],), torch.inf)
        if c.get("n_group", 1) > 1:
            groups = score.unflatten(-1, (c["n_group"], -1))
            best = groups.topk(2, -1)[0].sum(-1) if unit < 1 else groups.max(-1)[0]
            order = best.sort(-1, descending=True)[0]
            margin = (order[:, c["topk_group"] - 1] - order[:, c["topk_group"]]) / unit
            keep = best >= order[:, c["topk_group"] - 1, None]
            score = groups.masked_fill(~keep[..., None], -torch.inf).flatten(1)
        order = score.sort(-1, descending=True)[0]
        margin = torch.minimum(margin, (order[:, k - 1] - order[:, k]) / unit)
        self.least = margin if self.least is None else torch.minimum(self.least, margin)

    def take(self, shape):
        """Margins of the tokens of the call just made, [B, T]; infinite without routers."""
        least, self.least = self.least, None
        return torch.full((shape[0], 1), torch.inf) if least is None else least.view(shape[0], -1)


def gaps(logits):
    top = logits.topk(2, -1)[0]
    return top[..., 0] - top[..., 1]


def extend(model, margins, prompts, steps):
    """Greedy continuation of equally long prompts [B, T] -> ids [B, steps], gaps [B, steps], margins [B, steps]."""
    cache, ids, out = None, prompts, []
    for _ in range(steps):
        result = model(ids, past_key_values=cache, use_cache=True)
        cache = result.past_key_values
        logits = result.logits[:, -1]
        ids = logits.argmax(-1, keepdim=True)
        out.append((ids[:, 0], gaps(logits), margins.take(prompts.shape)[:, -1]))
    return [torch.stack(part, 1) for part in zip(*out)]


def search(model, margins, cfg, length, rng, want, wantGap):
    """A prompt of `length` ids with router margins above `want` and a well separated, lively continuation."""
    vocab = cfg["vocab_size"]
    prompt = torch.empty((1, 0), dtype=torch.long)
    while prompt.shape[1] < length - 1:
        tries = torch.randint(3, vocab, (TRIES, 1), generator=rng)
        batch = torch.cat((prompt.expand(TRIES, -1), tries), 1)
        logits = model(batch).logits[:, -1]
        score = torch.minimum(margins.take(batch.shape)[:, -1] / want, gaps(logits) / wantGap).clamp_max(1.0)
        prompt = batch[score.argmax()][None]
    last = torch.arange(3, vocab)[:, None]
    batch = torch.cat((prompt.expand(last.shape[0], -1), last), 1)
    ids, gap, margin = extend(model, margins, batch, SHORT)
    # The first margin is that of the last prompt token; the later ones belong to the tokens fed back.
    score = torch.minimum(gap.min(1)[0] / wantGap, margin.min(1)[0] / want)
    lively = torch.tensor([len(set(row)) >= 16 and len(set(row[-8:])) >= 6 for row in ids.tolist()])
    score = torch.minimum(score, gap[:, 0] - 0.11)  # the prompt's own last position
    score = score - 10.0 * ~lively - 10.0 * (ids == cfg["eos_token_id"]).any(1)
    return batch[score.argmax()][None], score.max().item()


def pick(golden, length, rng):
    """The best of a few searched prompts: under bf16 rounding its log-probabilities stay where they are."""
    best, wants = None, (0.2, 0.5) if golden.fp8 else (0.04, 0.15)
    for _ in range(6):
        prompt, score = search(golden.model, golden.margins, golden.cfg, length, rng, *wants)
        moved = distance(golden.model(prompt).logits[0], golden.half(prompt).logits[0])
        golden.margins.take(prompt.shape)
        if golden.fp8:
            moved = max(moved, 0.3 * distance(*golden.rungs(prompt)))
        rank = min(score, 1.0) - 20 * max(0.0, moved - 0.03)
        if best is None or rank > best[0]:
            best = (rank, prompt)
        if moved <= 0.03 and score > 0.6:
            break
    return best[1]


def distance(logits, other):
    """Largest change of the log-probability of the first one's top-1."""
    top = logits.argmax(-1, keepdim=True)
    ours, theirs = (x.float().log_softmax(-1).gather(1, top) for x in (logits, other))
    return round((ours - theirs).abs().max().item(), 4)


def save(tensors, path):
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
    os.chmod(path, 0o644)


def saveModel(tensors, cfg, folder, shards):
    """One file, or `shards` files with an index; tensors are dealt out in turn, so that no shard holds a layer."""
    with open(f"{folder}/config.json", "w") as file:
        json.dump(cfg, file, indent=2)
        file.write("\n")
    if shards == 1:
        save(tensors, f"{folder}/model.safetensors")
        return
    files = [f"model-{i + 1:05}-of-{shards:06}.safetensors" for i in range(shards)]
    where = {name: files[i % shards] for i, name in enumerate(sorted(tensors))}
    for file in files:
        save({name: tensors[name] for name in tensors if where[name] == file}, f"{folder}/{file}")
    total = sum(value.nbytes for value in tensors.values())
    with open(f"{folder}/model.safetensors.index.json", "w") as file:
        json.dump({"metadata": {"total_size": total}, "weight_map": where}, file, indent=1)
        file.write("\n")


def loadTensors(folder):
    tensors = {}
    for file in sorted(glob.glob(f"{folder}/model*.safetensors")):
        tensors |= safetensors.torch.load_file(file)
    return tensors


def rounded(values):
    return [round(min(float(v), 99.0), 4) for v in values]


def mtpCase(own, prompt, greedy, entry):
    """Drafts of the MTP head over the prompt and its greedy continuation: from position i, the token at i + 2."""
    ids = torch.cat((prompt, greedy), 1)
    hidden = own.hidden(ids)
    logits = own.head(own.draft(hidden[:, :-1], ids[:, 1:]))[0]
    drafts = logits.argmax(-1)[prompt.shape[1] - 1 : -1]
    truth = ids[0, prompt.shape[1] + 1 :]
    entry["mtp_drafts"] = drafts.tolist()
    entry["mtp_accepted"] = int((drafts == truth).sum())
    return logits[: prompt.shape[1] - 1] if prompt.shape[1] > 1 else None


class Golden:
    """The models that answer for one checkpoint, and the cases made with them."""

    def __init__(self, tensors, cfg):
        self.cfg = cfg
        self.model = reference(tensors, cfg)
        self.half = roundLikeBf16(reference(tensors, cfg))
        self.margins = Margins(self.model, cfg)
        self.own = v3_torch.fromHub(tensors, cfg) if cfg["model_type"] == "deepseek_v3" else None
        self.fp8 = "quantization_config" in cfg
        self.cases, self.arrays = [], {}

    def rungs(self, prompt):
        """Logits of the fp8 rung, with the results of operators rounded to bf16 and not rounded."""
        out = []
        for rounding in (True, False):
            v3_torch.Rung.quantiseActivations, v3_torch.Rung.roundResults = True, rounding
            v3_torch.Rung.powerOfTwoScales = isUe8m0(self.cfg)
            out.append(self.own.head(self.own.hidden(prompt))[0])
        v3_torch.Rung.quantiseActivations = v3_torch.Rung.roundResults = v3_torch.Rung.powerOfTwoScales = False
        return out

    def add(self, case, prompt, steps, mtpLogits=True, fp8Logits=True):
        logits = self.model(prompt).logits[0].float()
        least = self.margins.take(prompt.shape)[0]
        greedy, gap, margin = extend(self.model, self.margins, prompt, steps)
        entry = {
            "name": case,
            "prompt": prompt[0].tolist(),
            "greedy": greedy[0].tolist(),
            "logits": f"{case}.logits",
            "gap_share": round((gaps(logits) > 0.1).float().mean().item(), 4),
            "greedy_gaps": rounded(gap[0]),
        }
        if least.min() < torch.inf:
            entry["router_margin"] = round(least.min().item(), 4)
            entry["greedy_router_margins"] = rounded(margin[0])
        self.arrays[entry["logits"]] = logits.contiguous()
        entry["bf16_distance"] = distance(logits, self.half(prompt).logits[0])
        own = self.own
        if own:
            assert (own.head(own.hidden(prompt))[0] - logits).abs().max() < 2e-3
            drafted = mtpCase(own, prompt, greedy, entry)
            if drafted is not None and mtpLogits:
                entry["mtp_logits"] = f"{case}.mtp_logits"
                self.arrays[entry["mtp_logits"]] = drafted.contiguous()
        if self.fp8:
            other, free = self.rungs(prompt)
            entry["fp8_distance"], entry["fp8_spread"] = distance(logits, other), distance(other, free)
            if fp8Logits:
                entry["logits_fp8"] = f"{case}.logits_fp8"
                self.arrays[entry["logits_fp8"]] = other.contiguous()
        self.cases.append(entry)

    def write(self, folder, script):
        save(self.arrays, f"{folder}/golden.safetensors")
        notes = ["eos does not stop the greedy continuations"]
        if self.fp8:
            notes.append("logits: weights scale * code in float32, activations not quantised")
            notes.append("logits_fp8: v3_torch.py, inputs of fp8 linears except kv_b quantised 1x128, results bf16")
        if self.own:
            notes.append("mtp_logits, mtp_drafts: v3_torch.py (transformers has no MTP layer)")
        golden = {
            "schema": "quern.golden",
            "schema_version": 1,
            "made_by": {
                "script": f"scripts/models/{script}",
                "torch": torch.__version__.split("+")[0],
                "transformers": transformers.__version__,
            },
            "dtype": "float32",
            "cases": self.cases,
            "notes": notes,
        }
        with open(f"{folder}/golden.json", "w") as file:
            file.write(compactLists(json.dumps(golden, indent=1)) + "\n")

    def report(self, name):
        print(f"{name}: prompt gaps > 0.1, least greedy gap, router margin, greedy margin, bf16, fp8, spread, distinct, drafts taken")
        for c in self.cases:
            margin = (c.get("router_margin"), min(c.get("greedy_router_margins", [None])))
            away = (c["bf16_distance"], c.get("fp8_distance"), c.get("fp8_spread"))
            print("  ", c["name"], c["gap_share"], min(c["greedy_gaps"]), *margin, *away, len(set(c["greedy"])),
                  c.get("mtp_accepted"), flush=True)  # fmt: skip


@torch.no_grad()
def makeFamily(name, folder):
    cfg = FAMILIES[name]
    os.makedirs(folder, exist_ok=True)
    auto = transformers.AutoConfig.for_model(**knownConfig(cfg))
    tensors = makeWeights(AutoModelForCausalLM.from_config(auto), cfg, SEEDS[name])
    saveModel(tensors, cfg, folder, SHARDS.get(name, 1))
    golden = Golden(tensors, cfg)
    rng = torch.Generator().manual_seed(SEEDS[name])
    for length in LENGTHS:
        prompt = pick(golden, length, rng)
        if (name, length) in AGAIN:
            seed, margin = AGAIN[name, length]
            prompt = search(golden.model, golden.margins, cfg, length, torch.Generator().manual_seed(seed), margin, 0.15)[0]
        golden.add(f"t{length}", prompt, GREEDY.get(name, SHORT) if length == 33 else SHORT)
    golden.write(folder, "make_tiny.py")
    golden.report(name)


def compactLists(text):
    """Number lists on one line."""
    return re.sub(r"\[\s+([-\d.,\s]+?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text)


def main():
    torch.set_num_threads(1)
    for name in sys.argv[2:] or FAMILIES:
        makeFamily(name, f"{sys.argv[1]}/{name}")


if __name__ == "__main__":
    main()
