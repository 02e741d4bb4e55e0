"""A compact torch implementation of the DeepSeek-V3-shaped decoder of the demo and of its MTP head.

It serves three ends: training (train_demo.py), the goldens of the MTP layer (Hugging Face transformers
has none), and the fp8 rung, where the input of every fp8 linear is quantised 1x128 (class Rung). Parameter
names are those of the hub's checkpoints, except that the experts of a layer are stacked: `experts.gate_proj`
[E, I, h], `experts.up_proj`, `experts.down_proj` [E, h, I]; `toHub` and `fromHub` convert.

Formulas: RMSNorm and RoPE with interleaved pairs and YaRN as in the DeepSeek-V3 report and its published
inference code; router of kind noaux_tc; MTP with the embedding first, hidden state after the final norm.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn


def roundFp8(x):
    """Nearest e4m3 value, ties to even, saturated at +-448."""
    return x.clamp(-448.0, 448.0).to(torch.float8_e4m3fn)


def powerOfTwo(scale):
    """The least power of two that is not below: exact, on the parts of the number."""
    mantissa, exponent = torch.frexp(scale)  # mantissa in [0.5, 1)
    return torch.ldexp(torch.ones_like(scale), exponent - (mantissa == 0.5).int())


def quantiseActivation(x):
    """Quantises and restores 1x128 along the last dimension: scale = max(amax, 1e-4) / 448."""
    tiles = x.float().unflatten(-1, (-1, 128))
    scale = tiles.abs().amax(-1, keepdim=True).clamp_min(1e-4) / 448.0
    if Rung.powerOfTwoScales:
        scale = powerOfTwo(scale)
    return (roundFp8(tiles / scale).float() * scale).flatten(-2)


def quantiseWeight(w, ue8m0=False):
    """[out, in] -> (codes e4m3 [out, in], scales f32 [ceil(out/128), ceil(in/128)], powers of two for ue8m0)."""
    rows, cols = w.shape
    pr, pc = -rows % 128, -cols % 128
    tiles = F.pad(w.float(), (0, pc, 0, pr)).unflatten(0, (-1, 128)).unflatten(-1, (-1, 128))
    scale = tiles.abs().amax(dim=(1, 3)).clamp_min(1e-12) / 448.0
    scale = powerOfTwo(scale) if ue8m0 else scale
    codes = roundFp8(tiles / scale[:, None, :, None]).flatten(2).flatten(0, 1)[:rows, :cols]
    return codes.contiguous(), scale


def dequantiseWeight(codes, scale):
    """Exact product scale * code in float32."""
    rows, cols = codes.shape
    full = scale.repeat_interleave(128, 0)[:rows].repeat_interleave(128, 1)[:, :cols]
    return codes.float() * full


class Rung:
    """Which rounding the model applies; none by default (training, float32 goldens). Results are rounded where the
    operators of the model dialect round, and nowhere else: another place flips codes, and a flipped code is a 16th."""

    quantiseActivations = False  # inputs of the fp8 linears, 1x128, except kv_b
    powerOfTwoScales = False  # of activations: scale_fmt ue8m0
    roundResults = False  # every operator's result to bf16, and kv_b's weight


def keep(x):
    """The result of an operator, as it is stored."""
    return x.bfloat16().float() if Rung.roundResults else x


def quantised(x):
    return quantiseActivation(x).to(x.dtype) if Rung.quantiseActivations else x


def linear8(x, w):
    """A linear whose weight is stored in fp8: y = x w^T."""
    return keep(F.linear(quantised(x), w))


class Norm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        y = F.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.eps)
        return keep(y.to(x.dtype))


class Weight(nn.Module):
    """A bare weight [out, in]; normal with the given deviation."""

    def __init__(self, rows, cols, std=None):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(rows, cols) * (std if std else cols**-0.5))


def ropeFrequencies(config):
    """Frequencies of the interleaved pairs after YaRN, float64, and the factor m of the softmax scale."""
    d, theta = config["qk_rope_head_dim"], config["rope_theta"]
    index = torch.arange(d // 2, dtype=torch.float64)
    freq = theta ** (-2.0 * index / d)
    scaling = config.get("rope_scaling")
    if not scaling:
        return freq, 1.0
    s, length = scaling["factor"], scaling["original_max_position_embeddings"]

    def at(r):
        return d * math.log(length / (2 * math.pi * r)) / (2 * math.log(theta))

    low = max(math.floor(at(scaling["beta_fast"])), 0)
    high = min(math.ceil(at(scaling["beta_slow"])), d - 1)
    ramp = ((index - low) / ((high - low) or 0.001)).clamp(0, 1)
    m = 1.0 if s <= 1 else 0.1 * scaling["mscale_all_dim"] * math.log(s) + 1.0
    return freq / s * ramp + freq * (1 - ramp), m


def rotate(x, cos, sin):
    """Rotates pairs (2i, 2i+1) of the last dimension; cos and sin are [T, d/2]."""
    even, odd = x[..., 0::2].float(), x[..., 1::2].float()
    out = torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1)
    return out.flatten(-2).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        h, heads = c["hidden_size"], c["num_attention_heads"]
        self.n, self.r, self.v = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
        self.heads, self.latent = heads, c["kv_lora_rank"]
        self.q_a_proj = Weight(c["q_lora_rank"], h)
        self.q_a_layernorm = Norm(c["q_lora_rank"], c["rms_norm_eps"])
        self.q_b_proj = Weight(heads * (self.n + self.r), c["q_lora_rank"])
        self.kv_a_proj_with_mqa = Weight(self.latent + self.r, h)
        self.kv_a_layernorm = Norm(self.latent, c["rms_norm_eps"])
        self.kv_b_proj = Weight(heads * (self.n + self.v), self.latent)
        self.o_proj = Weight(h, heads * self.v)
        self.scale = (self.n + self.r) ** -0.5 * ropeFrequencies(c)[1] ** 2

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        q = linear8(self.q_a_layernorm(linear8(x, self.q_a_proj.weight)), self.q_b_proj.weight)
        q = q.view(b, t, self.heads, self.n + self.r).transpose(1, 2)
        latent, kr = linear8(x, self.kv_a_proj_with_mqa.weight).split([self.latent, self.r], -1)
        # kv_b never sees a quantised latent, and its product is not rounded: expanded and absorbed form are one
        # mathematics.
        kv = F.linear(self.kv_a_layernorm(latent), keep(self.kv_b_proj.weight))
        kv = kv.view(b, t, self.heads, self.n + self.v).transpose(1, 2)
        q = torch.cat((q[..., : self.n], keep(rotate(q[..., self.n :], cos, sin))), -1)
        kr = keep(rotate(kr, cos, sin))[:, None].expand(-1, self.heads, -1, -1)
        k = torch.cat((kv[..., : self.n], kr), -1)
        # Equal widths select the fused kernel.
        v = F.pad(kv[..., self.n :], (0, max(0, self.n + self.r - self.v)))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.scale)[..., : self.v]
        return linear8(keep(out.transpose(1, 2).reshape(b, t, -1)), self.o_proj.weight)


class Mlp(nn.Module):
    def __init__(self, h, inner):
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = Weight(inner, h), Weight(inner, h), Weight(h, inner)

    def forward(self, x):
        x = quantised(x)
        y = F.silu(keep(F.linear(x, self.gate_proj.weight))) * keep(F.linear(x, self.up_proj.weight))
        return linear8(keep(y), self.down_proj.weight)


class Experts(nn.Module):
    def __init__(self, count, h, inner):
        super().__init__()
        self.gate_proj = nn.Parameter(torch.randn(count, inner, h) * h**-0.5)
        self.up_proj = nn.Parameter(torch.randn(count, inner, h) * h**-0.5)
        self.down_proj = nn.Parameter(torch.randn(count, h, inner) * inner**-0.5)


class Moe(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        h, inner, count = c["hidden_size"], c["moe_intermediate_size"], c["n_routed_experts"]
        self.gate = Weight(count, h)
        self.gate.register_buffer("e_score_correction_bias", torch.zeros(count))
        self.experts = Experts(count, h, inner)
        self.shared_experts = Mlp(h, inner * c["n_shared_experts"])
        self.load = None  # tokens per expert of the last call

    def route(self, x):
        """x [N, h] -> expert ids [N, k], weights [N, k]; ties go to the lower index."""
        c = self.c
        score = torch.sigmoid(x.float() @ self.gate.weight.float().T)
        choice = (score + self.gate.e_score_correction_bias).detach()
        groups = choice.unflatten(-1, (c["n_group"], -1))
        best = groups.topk(2, -1)[0].sum(-1).sort(dim=-1, descending=True, stable=True)[1][:, : c["topk_group"]]
        keep = torch.zeros(groups.shape[:2], dtype=torch.bool).scatter_(1, best, True)
        choice = groups.masked_fill(~keep[..., None], -math.inf).flatten(1)
        ids = choice.sort(dim=-1, descending=True, stable=True)[1][:, : c["num_experts_per_tok"]]
        weight = score.gather(1, ids)
        if c["norm_topk_prob"]:
            weight = weight / (weight.sum(-1, keepdim=True) + 1e-20)
        return ids, weight * c["routed_scaling_factor"]

    def forward(self, x):
        flat = x.flatten(0, -2)
        with torch.autocast("cpu", enabled=False):
            ids, weight = self.route(flat)
        e, k = self.experts, ids.shape[1]
        order = ids.flatten().argsort(stable=True)
        self.load = torch.bincount(ids.flatten(), minlength=self.c["n_routed_experts"])
        token = order // k
        rows = quantised(flat[token])
        out, at = [], 0
        for i, n in enumerate(self.load.tolist()):
            part = rows[at : at + n]
            y = F.silu(keep(F.linear(part, e.gate_proj[i]))) * keep(F.linear(part, e.up_proj[i]))
            out.append(F.linear(quantised(keep(y)), e.down_proj[i]))  # rounded when it is mixed
            at += n
        out = torch.cat(out).float() * weight.flatten()[order, None]
        mixed = torch.zeros(flat.shape, dtype=torch.float32).index_add(0, token, out)
        return keep((mixed + self.shared_experts(flat).float()).to(x.dtype)).view_as(x)


class Layer(nn.Module):
    def __init__(self, c, dense):
        super().__init__()
        self.input_layernorm = Norm(c["hidden_size"], c["rms_norm_eps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = Norm(c["hidden_size"], c["rms_norm_eps"])
        self.mlp = Mlp(c["hidden_size"], c["intermediate_size"]) if dense else Moe(c)

    def forward(self, x, cos, sin):
        total = x + self.self_attn(self.input_layernorm(x), cos, sin)
        # The norm sees the sum before it is rounded: both are one operator.
        return keep(keep(total) + self.mlp(self.post_attention_layernorm(total)))


class Mtp(Layer):
    def __init__(self, c):
        super().__init__(c, False)
        h = c["hidden_size"]
        self.enorm, self.hnorm = Norm(h, c["rms_norm_eps"]), Norm(h, c["rms_norm_eps"])
        self.eh_proj = Weight(h, 2 * h)
        self.shared_head = nn.Module()
        self.shared_head.norm = Norm(h, c["rms_norm_eps"])

    def forward(self, embedded, hidden, cos, sin):
        """embedded: embedding of token i+1; hidden: output of the main model at i, after its last norm."""
        z = keep(F.linear(torch.cat((self.enorm(embedded), self.hnorm(hidden)), -1), self.eh_proj.weight))
        return self.shared_head.norm(super().forward(z, cos, sin))


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = self.c = config
        self.embed_tokens = Weight(c["vocab_size"], c["hidden_size"], 1.0)
        count = c["num_hidden_layers"]
        layers = [Layer(c, i < c["first_k_dense_replace"]) for i in range(count)]
        self.layers = nn.ModuleList(layers + [Mtp(c)] * (1 if c.get("num_nextn_predict_layers") else 0))
        self.norm = Norm(c["hidden_size"], c["rms_norm_eps"])
        self.lm_head = Weight(c["vocab_size"], c["hidden_size"])
        angles = torch.arange(c["max_position_embeddings"], dtype=torch.float64)[:, None] * ropeFrequencies(c)[0]
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    def embed(self, ids):
        return F.embedding(ids, self.embed_tokens.weight)

    def hidden(self, ids):
        """ids [B, T] -> states after the last norm [B, T, h]."""
        x = self.embed(ids)
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        for layer in self.layers[: self.c["num_hidden_layers"]]:
            x = layer(x, cos, sin)
        return self.norm(x)

    def head(self, hidden):
        return F.linear(hidden, self.lm_head.weight).float()

    def draft(self, hidden, following):
        """hidden [B, T, h] at positions 0..T-1, following = token ids at 1..T -> MTP states [B, T, h]."""
        t = following.shape[1]
        return self.layers[-1](self.embed(following), hidden, self.cos[:t], self.sin[:t])


def isFp8(name):
    """Which hub tensors of the family are stored in fp8."""
    quantised = ("_proj.weight", "_proj_with_mqa.weight")
    return name.endswith(quantised) and not name.endswith("eh_proj.weight")


def toHub(state):
    """Parameters of Model under the hub's names, one tensor per expert."""
    out = {}
    for name, value in state.items():
        name = name if name.startswith("lm_head") else "model." + name
        if ".experts." in name:
            stem, kind = name.rsplit(".", 1)
            for i in range(value.shape[0]):
                out[f"{stem}.{i}.{kind}.weight"] = value[i].contiguous()
        else:
            out[name] = value
    return out


def fromHub(tensors, config):
    """The inverse: a Model in float32 from hub tensors (fp8 codes with their scales are multiplied out)."""
    state, stacks = {}, {}
    last = config["num_hidden_layers"]
    skipped = (f"model.layers.{last}.embed_tokens.weight", f"model.layers.{last}.shared_head.head.weight")
    for name, value in tensors.items():
        if name.endswith("_scale_inv") or name in skipped:
            continue
        if value.dtype == torch.float8_e4m3fn:
            value = dequantiseWeight(value, tensors[name + "_scale_inv"])
        name = name.removeprefix("model.")
        if ".experts." in name:
            stem, index, kind, _ = name.rsplit(".", 3)
            stacks.setdefault(f"{stem}.{kind}", {})[int(index)] = value.float()
        else:
            state[name] = value.float()
    for name, parts in stacks.items():
        state[name] = torch.stack([parts[i] for i in range(len(parts))])
    model = Model(config).eval()
    model.load_state_dict(state)
    return model
