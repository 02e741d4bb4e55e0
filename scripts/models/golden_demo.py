#!/usr/bin/env python3
"""Makes the goldens of the exported demo checkpoint: golden_demo.py MODEL_DIR

As make_tiny.py, but with prompts of text; the fp8 rung's logits are kept for one case and the MTP head's drafts
without logits, to keep the folder small.
"""
import json
import sys

import torch
from tokenizers import Tokenizer

from make_tiny import Golden, loadTensors

USER, ASSISTANT = 2040, 2041


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
        "text": [0] + ids("And it came to pass in those days, that the king spake unto all the people,"),
    }
    for name, prompt in prompts.items():
        golden.add(name, torch.tensor([prompt]), 256 if name == "text" else 64, False, name == "chat")
    golden.write(folder, "golden_demo.py")
    golden.report(folder)


main()
