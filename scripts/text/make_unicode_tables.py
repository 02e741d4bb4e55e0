#!/usr/bin/env python3
"""Writes runtime/text/UnicodeData.inc: the facts of Unicode 16.0 that tokenizers depend on.

For maintainers; build and tests use the committed file. Needs the packages unicodedata2 16.0.0 and regex in a virtual
environment:

    python3 -m venv venv && venv/bin/pip install unicodedata2==16.0.0 regex
    venv/bin/python scripts/text/make_unicode_tables.py

The version is pinned because the ids of a prompt depend on it: a library that follows the distribution's Unicode
version would split newer scripts and emoji differently from one machine to the next.
"""

import os
import unicodedata as older  # whatever Python brings; any version from 13.0 to 15.0 serves

import regex
import unicodedata2 as unicode16

VERSION = "16.0.0"
SURROGATES = range(0xD800, 0xE000)
CATEGORIES = [
    "Cn",
    "Cc",
    "Cf",
    "Co",
    "Cs",
    "Ll",
    "Lm",
    "Lo",
    "Lt",
    "Lu",
    "Mc",
    "Me",
    "Mn",
    "Nd",
    "Nl",
    "No",
    "Pc",
    "Pd",
    "Pe",
    "Pf",
    "Pi",
    "Po",
    "Ps",
    "Sc",
    "Sk",
    "Sm",
    "So",
    "Zl",
    "Zp",
    "Zs",
]


def runs(value):
    """Yields (first code point, value) for each maximal run of equal values."""
    last = None
    for point in range(0x110000):
        now = value(point)
        if now != last:
            yield point, now
            last = now


def rows(items, per_line):
    lines = []
    for start in range(0, len(items), per_line):
        lines.append("    " + ", ".join(items[start : start + per_line]) + ",")
    return "\n".join(lines)


def alphabetic(point):
    if point in SURROGATES or unicode16.category(chr(point)) == "Cn":
        return False
    return regex.match(r"\p{Alphabetic}", chr(point)) is not None


def main():
    assert unicode16.unidata_version == VERSION, unicode16.unidata_version
    assert older.unidata_version < "15.1", "the additions to the normalisation library are counted from here"
    categories = [
        f"0x{point << 8 | CATEGORIES.index(category):X}"
        for point, category in runs(lambda point: unicode16.category(chr(point)))
    ]
    letters = [f"0x{point:X}" for point, _ in runs(alphabetic)][1:]

    decompositions, classes = [], []
    for point in range(0x110000):
        char = chr(point)
        if older.category(char) != "Cn" or unicode16.category(char) == "Cn":
            continue
        if unicode16.combining(char):
            classes.append(f"{{0x{point:X}, {unicode16.combining(char)}}}")
        mapping = unicode16.decomposition(char)
        if mapping and not mapping.startswith("<"):
            parts = mapping.split()
            assert len(parts) == 2, (hex(point), mapping)
            assert unicode16.normalize("NFC", char) == char, (hex(point), "is excluded from composition")
            decompositions.append("{0x%X, 0x%s, 0x%s}" % (point, *parts))

    path = os.path.join(os.path.dirname(__file__), "../../runtime/text/UnicodeData.inc")
    with open(path, "w", encoding="ascii") as out:
        out.write(
            f"""// Facts of Unicode {VERSION}; written by scripts/text/make_unicode_tables.py, do not edit.

/// Names of the general categories, in the order that `categoryRuns` counts them.
constexpr const char categoryNames[][3] = {{
{rows(['"%s"' % name for name in CATEGORIES], 15)}
}};

/// First code point of each run of one general category, shifted left by 8, with the category's number.
constexpr uint32_t categoryRuns[] = {{
{rows(categories, 9)}
}};

/// Alphabetic: the even entries begin a run of code points that have the property, the odd ones end it.
constexpr uint32_t alphabeticEdges[] = {{
{rows(letters, 11)}
}};

/// Canonical decompositions of code points that came after Unicode {older.unidata_version}; all of them compose.
constexpr Decomposition newDecompositions[] = {{
{rows(decompositions, 3)}
}};

/// Canonical combining classes, where not zero, of code points that came after Unicode {older.unidata_version}.
constexpr CombiningClass newCombiningClasses[] = {{
{rows(classes, 6)}
}};
"""
        )
    print(
        f"{len(categories)} runs of categories, {len(letters)} alphabetic edges, "
        f"{len(decompositions)} decompositions, {len(classes)} combining classes"
    )


if __name__ == "__main__":
    main()
