#!/usr/bin/env python3
"""Writes tests/text/nfc.json: strings and their normalisation form C by Unicode 16.0.

For maintainers; needs unicodedata2 16.0.0. Every code point that has a canonical decomposition or a combining class
occurs, composed or taken apart, among random neighbours.
"""

import json
import os
import random

import unicodedata2 as unicode16

OUT = os.path.join(os.path.dirname(__file__), "../../tests/text/nfc.json")


def main():
    assert unicode16.unidata_version == "16.0.0"
    chars = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    composed = [c for c in chars if unicode16.normalize("NFD", c) != c and not "\uac00" <= c <= "\ud7a3"]
    marks = [c for c in chars if unicode16.combining(c)]
    random.seed(16)
    syllables = random.sample([chr(point) for point in range(0xAC00, 0xD7A4)], 200)
    jamo = [chr(point) for point in [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C3)]]
    pieces = []
    for c in composed + syllables:
        text = random.choice([c, unicode16.normalize("NFD", c), unicode16.normalize("NFD", c)])
        if random.random() < 0.5:
            text += "".join(random.choices(marks, k=random.randint(1, 3)))
        pieces.append(text)
    for mark in marks:
        neighbours = [mark] + random.choices(marks, k=random.randint(1, 4))
        random.shuffle(neighbours)
        pieces.append(
            random.choice(["a", "o", "\u05d0", "\u0915", "\u1100", "", "\u1e69"]) + "".join(neighbours)
        )
    pieces += ["".join(random.choices(jamo, k=random.randint(2, 4))) for _ in range(200)]
    random.shuffle(pieces)
    rows = []
    for start in range(0, len(pieces), 12):
        text = "".join(pieces[start : start + 12])
        rows.append([text, unicode16.normalize("NFC", text)])
    with open(OUT, "w", encoding="utf-8") as out:
        out.write("[\n" + ",\n".join(json.dumps(row, ensure_ascii=True) for row in rows) + "\n]\n")
    print(len(composed), "composed,", len(marks), "marks,", len(rows), "rows")


if __name__ == "__main__":
    main()
