#!/usr/bin/env python3
"""Trains the demo's byte-level BPE tokenizer: usage make_tokenizer.py TEXT.jsonl OUT_DIR

The pipeline is that of the DeepSeek-V3 family: three Split stages, then ByteLevel without its own pattern. Ids
0 to 2 are the special tokens, 3 to 2039 bytes and merges, the last two the role tokens; the model's
vocabulary is padded to 2048, as the family's is.
"""
import json
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
ROLES = ["<｜User｜>", "<｜Assistant｜>"]
SPLITS = [
    r"\p{N}{1,3}",
    "[一-龥぀-ゟ゠-ヿ]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}{% endif %}"
    "{% if message['role'] == 'assistant' %}{{ '<｜Assistant｜>' + message['content'] + eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}"
)


def pipeline():
    tokenizer = Tokenizer(models.BPE())
    stages = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in SPLITS]
    stages.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(stages)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main():
    rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
    tokenizer = pipeline()
    trainer = trainers.BpeTrainer(
        vocab_size=2040,
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((row["text"] for row in rows if row["split"] == "train"), trainer)
    tokenizer.add_tokens([AddedToken(role, normalized=False, special=False) for role in ROLES])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, 0)]
    )
    tokenizer.save(f"{sys.argv[2]}/tokenizer.json")
    config = {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": BOS,
        "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": EOS,
        "model_max_length": 8192,
        "pad_token": PAD,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    with open(f"{sys.argv[2]}/tokenizer_config.json", "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2, ensure_ascii=False)
        file.write("\n")
    held = "".join(row["text"] for row in rows if row["split"] == "held")
    ids = tokenizer.encode(held, add_special_tokens=False).ids
    print(f"vocabulary {tokenizer.get_vocab_size()}, held-out bytes per token {len(held.encode()) / len(ids):.3f}")
    assert tokenizer.decode(ids, skip_special_tokens=False) == held


if __name__ == "__main__":
    main()
