#!/usr/bin/env python3
"""Turns the two public-domain translations packaged by Debian into one JSON-lines file of chapters.

usage: prepare_text.py OUT.jsonl DIR      DIR holds (or receives, by `apt-get download`) the packages
sword-text-web (World English Bible) and bible-kjv, bible-kjv-text (King James Version).

Each line is {"source": "web"|"kjv", "book": NAME, "chapter": N, "split": "train"|"held", "text": ...}. The books
in HELD are kept out of training in both translations, so that the held-out score is not helped by a
parallel text.
"""
import glob
import json
import os
import re
import struct
import subprocess
import sys
import zlib

HELD = {"Ruth", "Jonah", "Ecclesiastes", "Philippians", "James", "1 John"}
PACKAGES = ["sword-text-web", "bible-kjv", "bible-kjv-text"]
# Short names of the 66 books, in order, as the `bible` program prints them, with their usual names.
KJV = """Ge Genesis|Exo Exodus|Lev Leviticus|Num Numbers|Deu Deuteronomy|Josh Joshua|Judg Judges|Ruth Ruth|1Sam 1 Samuel
|2Sam 2 Samuel|1Kin 1 Kings|2Kin 2 Kings|1Chr 1 Chronicles|2Chr 2 Chronicles|Ezra Ezra|Neh Nehemiah|Est Esther|Job Job
|Psa Psalms|Prov Proverbs|Eccl Ecclesiastes|Song Song of Solomon|Isa Isaiah|Jer Jeremiah|Lam Lamentations|Ezek Ezekiel
|Dan Daniel|Hos Hosea|Joel Joel|Amos Amos|Obad Obadiah|Jonah Jonah|Mic Micah|Nah Nahum|Hab Habakkuk|Zeph Zephaniah
|Hag Haggai|Zec Zechariah|Mal Malachi|Mat Matthew|Mark Mark|Luke Luke|John John|Acts Acts|Rom Romans|1Cor 1 Corinthians
|2Cor 2 Corinthians|Gal Galatians|Eph Ephesians|Phil Philippians|Col Colossians|1Th 1 Thessalonians|2Th 2 Thessalonians
|1Tim 1 Timothy|2Tim 2 Timothy|Titus Titus|Phile Philemon|Heb Hebrews|Jas James|1Pet 1 Peter|2Pet 2 Peter|1Jn 1 John
|2Jn 2 John|3Jn 3 John|Jude Jude|Rev Revelation"""


def fetch(folder):
    """Downloads and unpacks the packages that are not yet in `folder`."""
    os.makedirs(folder, exist_ok=True)
    for name in PACKAGES:
        if not glob.glob(f"{folder}/{name}_*.deb"):
            subprocess.run(["apt-get", "download", name], cwd=folder, check=True)
        subprocess.run(["dpkg", "-x", glob.glob(f"{folder}/{name}_*.deb")[0], f"{folder}/root"], check=True)
    return f"{folder}/root"


def tidy(text):
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" ([,.;:?!’”])", r"\1", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n+", "\n", text).strip()


def readWeb(root):
    """Chapters of the World English Bible, from the zText blocks of its SWORD module (one block per book):
    .bzs holds {u32 offset, u32 size, u32 plain size} per block of .bzz (zlib)."""
    base = f"{root}/usr/share/sword/modules/texts/ztext/engWEB2015eb"
    for part in ("ot", "nt"):
        index = open(f"{base}/{part}.bzs", "rb").read()
        data = open(f"{base}/{part}.bzz", "rb").read()
        for at in range(0, len(index), 12):
            offset, size, _ = struct.unpack("<III", index[at : at + 12])
            if not size:
                continue
            book = zlib.decompress(data[offset : offset + size]).decode()
            name = re.search(r'<milestone n="([^"]+)" type="x-usfm-h"/>', book)
            if not name:  # pieces of the deuterocanon that the module stores out of order
                continue
            chapters = re.split(r'<chapter n="(\d+)" osisID="[^"]+" sID="[^"]+"/>', book)
            for number, text in zip(chapters[1::2], chapters[2::2]):
                text = re.sub(r"<note\b.*?</note>|<title\b.*?</title>", " ", text, flags=re.S)
                text = re.sub(r'<l eID=[^>]*>|<div eID="gen\d+" type="x-p"/>', "\n", text)
                text = tidy(re.sub(r"<[^>]+>", "", text))
                if text:
                    yield name.group(1), int(number), text


def readKjv(root):
    """Chapters of the King James Version, printed verse by verse by Debian's `bible` program."""
    names = [entry.strip().split(" ", 1) for entry in KJV.replace("\n", "").split("|")]
    run = [f"{root}/usr/bin/bible", "-p", f"{root}/usr/lib", "-f", "ge1:1-rev22:21"]
    out = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    book, last, verses, at = "", None, [], -1
    for line in out.splitlines():
        match = re.match(r"(\d?[A-Za-z]+)(\d+):(\d+) (.*)", line)
        if not match:
            continue
        here = (match[1], int(match[2]))
        if here != last:
            if verses:
                yield book, last[1], tidy("\n".join(verses))
            if last is None or here[0] != last[0]:
                at += 1
                book = names[at][1]
            verses, last = [], here
        verses.append(re.sub(r"[\[\]{}]", "", match[4]))
    yield book, last[1], tidy("\n".join(verses))


def main():
    out, folder = sys.argv[1:3]
    root = fetch(folder)
    count = {"train": 0, "held": 0}
    with open(out, "w", encoding="utf-8") as file:
        for source, chapters in (("web", readWeb(root)), ("kjv", readKjv(root))):
            for book, number, text in chapters:
                split = "held" if book in HELD else "train"
                count[split] += len(text.encode())
                row = {"source": source, "book": book, "chapter": number, "split": split, "text": text}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"bytes of text: {count}")


main()
