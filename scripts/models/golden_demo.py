#!/usr/bin/env python3
"""Makes the goldens of the exported demo checkpoint: golden_demo.py MODEL_DIR

As make_tiny.py, but with prompts of text; the fp8 rung's logits are kept for one case and the MTP head's drafts
without logits, to keep the folder small.
"""
import json
import sys

import jinja2
import tokenizers
import torch
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from make_tiny import Golden, compactLists, loadTensors

USER, ASSISTANT = 2040, 2041


TEXTS = [
    "In the beginning",
    " The king said, “I won’t go”; 1234567 and 3.14 \t\n\n  two  spaces \r\n",
    "don't @User #tag x+=y [a] (b)",
    "Ελληνικά русский עברית 日本語かな한국어 ﷽ e\u0301 👩‍👩‍👧 ½²",
    "a<｜end▁of▁sentence｜> <｜User｜>b",
    "",
]
CHATS = [
    [{"role": "user", "content": "In the beginning"}],
    [{"role": "system", "content": "Psalms 1\n"}, {"role": "user", "content": "Blessed is the man"},
     {"role": "assistant", "content": "that walketh not"}, {"role": "user", "content": "Praise ye"}],
]  # fmt: skip


def writeText(folder, tokenizer):
    """text_golden.json: ids by Hugging Face tokenizers, the chat template as rendered by jinja2."""
    config = json.load(open(f"{folder}/tokenizer_config.json", encoding="utf-8"))
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(config["chat_template"])
    out = {"schema": "quern.text-golden", "schema_version": 1, "made_by": {"tokenizers": tokenizers.__version__, "jinja2": jinja2.__version__}, "texts": [], "chats": []}  # fmt: skip
    for text in TEXTS:
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        decoded = tokenizer.decode(plain, skip_special_tokens=False)
        out["texts"].append({"text": text, "ids": plain, "decoded": decoded, "ids_with_special": tokenizer.encode(text).ids})
    for messages in CHATS:
        for generation in (True, False):
            text = template.render(messages=messages, add_generation_prompt=generation, bos_token=config["bos_token"], eos_token=config["eos_token"])  # fmt: skip
            entry = {"messages": messages, "add_generation_prompt": generation, "rendered": text}
            out["chats"].append(entry | {"ids": tokenizer.encode(text, add_special_tokens=False).ids})
    with open(f"{folder}/text_golden.json", "w", encoding="utf-8") as file:
        file.write(compactLists(json.dumps(out, indent=1, ensure_ascii=False)) + "\n")


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    folder = sys.argv[1]
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")

    def ids(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    golden = Golden(loadTensors(folder), json.load(open(f"{folder}/config.json")))
    prompts = {
        "bos": [0],
        "chat": [0, USER] + ids("The man who trusts") + [ASSISTANT],
        "text": [0] + ids("And it came to pass in those days, that the king"),
    }
    for name, prompt in prompts.items():
        golden.add(name, torch.tensor([prompt]), 256 if name == "text" else 64, False, name == "chat")
    golden.write(folder, "golden_demo.py")
    writeText(folder, tokenizer)
    golden.report(folder)


main()
