#!/usr/bin/env python3
"""Trains one small tokenizer for each pipeline and records what Hugging Face's implementation answers.

For maintainers; build and tests use the committed files. Needs tokenizers 0.23.3 and unicodedata2 16.0.0:

    venv/bin/python scripts/text/make_tokenizer_goldens.py

Writes under tests/text/: corpus.json (the texts), pipelines.json (their names), <pipeline>/tokenizer.json, <pipeline>/expected.json (per text: ids
without and with special tokens, decoded text without and with special tokens; what is left out equals what stands
before it, the first decoded text equals the text) and variants.json (other pre-tokenizers,
normalizers and decoders put into the same file, and the ids they give).
"""

import copy
import json
import os
import sys

import tokenizers
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

sys.path.insert(0, os.path.dirname(__file__))
import corpus  # noqa: E402

OUT = os.path.join(os.path.dirname(__file__), "../../tests/text")

PATTERN_D = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
)
PATTERN_Q = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERN_L = PATTERN_Q.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def isolated(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def cased_letters():
    """The shape of the second stage of the V2 files: a long list of ranges of cased letters."""
    import unicodedata

    ranges, start = [], None
    for point in range(0x41, 0x1F000):
        cased = unicodedata.category(chr(point)) in ("Lu", "Ll", "Lt")
        if cased and start is None:
            start = point
        if not cased and start is not None:
            ranges.append(chr(start) if start == point - 1 else f"{chr(start)}-{chr(point - 1)}")
            start = None
    return "".join(ranges)


def byte_level():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def added(normalized):
    """Added tokens with every flag; |normalized| is what the family's own control tokens say."""
    control = [
        AddedToken("<｜begin▁of▁sentence｜>", special=True, normalized=normalized),
        AddedToken("<｜end▁of▁sentence｜>", special=True, normalized=normalized),
        AddedToken("<|im_start|>", special=True, normalized=False),
        AddedToken("<|im_end|>", special=True, normalized=False),
        AddedToken("<mask>", special=True, normalized=False, lstrip=True),
    ]
    plain = [
        AddedToken("<｜User｜>", normalized=normalized),
        AddedToken("<｜Assistant｜>", normalized=normalized),
        AddedToken("<think>", normalized=normalized),
        AddedToken("</think>", normalized=normalized),
        AddedToken("<solo>", single_word=True, normalized=normalized),
        AddedToken("<ab>", normalized=False),
        AddedToken("<abc", normalized=True),
        AddedToken("<abcd>", normalized=False),
        AddedToken("<right>", rstrip=True, normalized=False),
        AddedToken("<left>", lstrip=True, normalized=normalized),
        AddedToken("<café>", normalized=True),
        AddedToken("<two words>", normalized=True),
        AddedToken("    ", normalized=normalized),
        AddedToken("        ", normalized=normalized),
    ]
    return control, plain


def train(tokenizer, vocab, byte_alphabet=True, special=(), texts=None):
    alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_alphabet else []
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=alphabet,
        special_tokens=list(special),
    )
    # Where the alphabet is that of the texts, leaving texts out leaves characters to the fallback. (The trainer's own
    # limit of the alphabet chooses among equals by chance.)
    tokenizer.train_from_iterator(
        (
            texts * 2
            if texts
            else corpus.SENTENCES * 2
            + corpus.CODE
            + corpus.EMOJI * 2
            + corpus.RUNS
            + corpus.WHITE_SPACE
            + corpus.DIGITS
        ),
        trainer,
    )


def add_tokens(tokenizer, normalized):
    control, plain = added(normalized)
    tokenizer.add_special_tokens(control)
    tokenizer.add_tokens(plain)


def v3():
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.Sequence([])
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [isolated(r"\p{N}{1,3}"), isolated("[一-龥぀-ゟ゠-ヿ]+"), isolated(PATTERN_D), byte_level()]
    )
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    train(t, 1400, special=[AddedToken("<｜begin▁of▁sentence｜>", special=True, normalized=True)])
    add_tokens(t, True)
    return t


def v2():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [
            isolated(r"[\r\n]"),
            isolated(r"\s?[" + cased_letters() + "]+"),
            isolated(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"),
            isolated(r"\s+$"),
            isolated("[一-龥ࠀ-一가-\ud7ff]+"),
            pre_tokenizers.Digits(individual_digits=True),
            byte_level(),
        ]
    )
    t.decoder = decoders.ByteLevel()
    train(t, 1200)
    add_tokens(t, True)
    bos = "<｜begin▁of▁sentence｜>"
    t.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, t.token_to_id(bos))]
    )
    return t


def qwen():
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([isolated(PATTERN_Q), byte_level()])
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    train(t, 1300)
    add_tokens(t, False)
    return t


def llama3():
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.Sequence([isolated(PATTERN_L), byte_level()])
    t.decoder = decoders.ByteLevel()
    train(t, 1300)
    add_tokens(t, False)
    bos, eos = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
    t.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{bos} $A {eos}",
                special_tokens=[(bos, t.token_to_id(bos)), (eos, t.token_to_id(eos))],
            ),
        ]
    )
    # Without their last merges some words can only be had as wholes; this is what ignore_merges is for.
    data = json.loads(t.to_str())
    dropped = data["model"]["merges"][-300::2]
    data["model"]["merges"] = [merge for merge in data["model"]["merges"] if merge not in dropped]
    return Tokenizer.from_str(json.dumps(data))


def mixtral():
    t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    # Trained on words (the family's files have no pre-tokenizer, which would make tokens of whole sentences).
    t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    bytes_ = [AddedToken(f"<0x{byte:02X}>", special=False, normalized=False) for byte in range(256)]
    train(
        t,
        1500,
        byte_alphabet=False,
        special=["<unk>", "<s>", "</s>"] + bytes_,
        texts=corpus.SENTENCES[:14] + corpus.SENTENCES[28:29] + corpus.CODE,
    )
    t.pre_tokenizer = None
    data = json.loads(t.to_str())
    data["added_tokens"] = data["added_tokens"][:3]
    for token in data["added_tokens"]:
        token["normalized"] = False
    t = Tokenizer.from_str(json.dumps(data))
    add_tokens(t, False)
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", t.token_to_id("<s>"))]
    )
    return t


def unknowns():
    """No byte fallback, unknown characters not fused, the older form of merges, no decoder."""
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    train(t, 500, byte_alphabet=False, special=["<unk>"], texts=corpus.SENTENCES[:9])
    data = json.loads(t.to_str())
    data["model"]["merges"] = ["#version: 0.2"] + [" ".join(merge) for merge in data["model"]["merges"]]
    # Tokenizers itself reads the headline in merges.txt only.
    return (
        Tokenizer.from_str(
            json.dumps({**data, "model": {**data["model"], "merges": data["model"]["merges"][1:]}})
        ),
        data,
    )


def expectations(tokenizer, texts):
    rows = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        full = tokenizer.encode(text, add_special_tokens=True).ids
        decoded, decoded_all = tokenizer.decode(ids), tokenizer.decode(ids, skip_special_tokens=False)
        row = {"ids": ids}
        if full != ids:
            row["with_special"] = full
        if decoded != text:
            row["decoded"] = decoded
        if decoded_all != decoded:
            row["decoded_all"] = decoded_all
        rows.append(row)
    return rows


def dump(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        if isinstance(value, list):
            out.write(
                "[\n"
                + ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in value)
                + "\n]\n"
            )
        else:
            json.dump(value, out, ensure_ascii=False, separators=(",", ":"))
            out.write("\n")


def variants(base, texts):
    """Other components in the file of |base|: each row is the changed members and the ids of |texts|."""

    def split(pattern, behavior, invert=False):
        return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}

    byte = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    space, vowels = {"String": " "}, {"Regex": "[aeiou]+"}
    rows = []
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for pattern in (space, vowels):
            for invert in (False, True):
                rows.append(
                    {
                        "pre_tokenizer": {
                            "type": "Sequence",
                            "pretokenizers": [split(pattern, behavior, invert), byte],
                        }
                    }
                )
    for individual in (False, True):
        rows.append(
            {
                "pre_tokenizer": {
                    "type": "Sequence",
                    "pretokenizers": [{"type": "Digits", "individual_digits": individual}, byte],
                }
            }
        )
    for prefix in (False, True):
        for use_regex in (False, True):
            rows.append({"pre_tokenizer": {**byte, "add_prefix_space": prefix, "use_regex": use_regex}})
    rows.append(
        {
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [split({"Regex": "(?=[A-Z])"}, "Isolated"), byte],
            }
        }
    )
    rows.append(
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split({"Regex": "x*"}, "Isolated"), byte]}}
    )
    rows.append(
        {
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first", "split": True},
                    byte,
                ],
            }
        }
    )
    rows.append(
        {
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": False},
                    byte,
                ],
            }
        }
    )
    rows.append(
        {"normalizer": {"type": "Replace", "pattern": {"Regex": "[\\r\\n]+|\\d{2}"}, "content": "<ab"}}
    )
    rows.append(
        {
            "normalizer": {
                "type": "Sequence",
                "normalizers": [
                    {"type": "NFC"},
                    {"type": "Replace", "pattern": {"String": "e"}, "content": ""},
                    {"type": "Prepend", "prepend": "_ "},
                ],
            }
        }
    )
    for row in rows:
        data = copy.deepcopy(base)
        data.update(row)
        tokenizer = Tokenizer.from_str(json.dumps(data))
        row["ids"] = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    return rows


def main():
    assert tokenizers.__version__ == "0.23.3", tokenizers.__version__
    texts = corpus.all_texts()
    dump(f"{OUT}/corpus.json", texts)
    pipelines = (v3, v2, qwen, llama3, mixtral, unknowns)
    dump(f"{OUT}/pipelines.json", [make.__name__ for make in pipelines])
    for make in pipelines:
        made = make()
        tokenizer, written = made if isinstance(made, tuple) else (made, json.loads(made.to_str()))
        dump(f"{OUT}/{make.__name__}/tokenizer.json", written)
        dump(f"{OUT}/{make.__name__}/expected.json", expectations(tokenizer, texts))
        if make is v3:
            chosen = (
                corpus.SENTENCES[:3]
                + corpus.CODE
                + corpus.WHITE_SPACE
                + corpus.DIGITS
                + corpus.ADDED[:14]
                + ["HelloWorld xXx"]
            )
            dump(f"{OUT}/variants.json", [{"texts": chosen}] + variants(written, chosen))
        print(make.__name__, tokenizer.get_vocab_size())


if __name__ == "__main__":
    main()
