#!/usr/bin/env python3
"""Features x targets, with the number of warps that executed each: from documents of `quern run --counters=FILE.json`.

usage: feature-table.py FILE.json...     one or more a target; a table in Markdown on stdout
"""
import json
import re
import sys

FEATURES = [  # name, pattern of the opcode
    ("cp.async", r"cp\.async\.(ca|cg)"),
    ("ldmatrix", r"ldmatrix"),
    ("stmatrix", r"stmatrix"),
    ("mma.sync", r"mma\.sync"),
    ("wgmma", r"wgmma\.mma_async"),
    ("tcgen05.mma", r"tcgen05\.mma"),
    ("tcgen05 pair of blocks", r"tcgen05\..*cta_group::2"),
    ("tensor copies", r"cp\.async\.bulk\.tensor"),
    ("multicast", r"cp\.async\.bulk.*multicast"),
    ("cluster barrier", r"barrier\.cluster"),
    ("mbarrier wait", r"mbarrier\.(try|test)_wait"),
    ("setmaxnreg", r"setmaxnreg"),
    ("dependent launch", r"griddepcontrol"),
    ("direct to LDS", r"(buffer|global)_load.*_lds"),
    ("transposed LDS reads", r"ds_read_b\d+_tr|ds_load_tr"),
    ("MFMA", r"v_mfma"),
    ("scaled MFMA", r"v_mfma_scale"),
    ("WMMA", r"v_wmma"),
    ("priorities", r"s_setprio"),
]


def main(paths):
    counts = {}  # target -> opcode -> warps
    for path in paths:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        for step in document.get("steps", [document]):
            opcodes = counts.setdefault(step["device"].split(":", 1)[1], {})
            for kernel in step["kernels"]:
                for name, count in kernel["opcodes"].items():
                    opcodes[name] = opcodes.get(name, 0) + count["issued"]
    targets = sorted(counts)
    print("| feature | " + " | ".join(targets) + " |")
    print("|---|" + "---:|" * len(targets))
    for feature, pattern in FEATURES:
        found = [sum(n for name, n in counts[t].items() if re.match(pattern, name)) for t in targets]
        print(f"| {feature} | " + " | ".join(str(n) for n in found) + " |")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
