"""How entries of a network are written: options without their defaults, a pyramid's branches as one where they are
alike."""
import itertools
import re


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def plain(value):
    """3 for [3, 3]"""
    if isinstance(value, (int, str)):
        return value
    return value[0] if len(set(value)) == 1 else list(value)


def short(entry):
    """"relu" for {"relu": {}}"""
    return next(iter(entry)) if list(entry.values()) == [{}] else entry


def numbered(stacks):
    """-> the one stack whose names have {i} or {n} where those of these stacks count; None if they differ otherwise"""
    first = stacks[0]
    if any(len(stack) != len(first) for stack in stacks):
        return None
    layers = [merged(column) for column in zip(*stacks)]
    return None if None in layers else layers


def merged(entries):
    """numbered() of one layer: {"conv": {"channels": 64, "weights": "branch.0"}}, or "relu"."""
    first = entries[0]
    if all(entry == first for entry in entries):
        return first
    if any(isinstance(entry, str) or entry.keys() != first.keys() for entry in entries):
        return None
    (kind, options), = first.items()
    others = [entry[kind] for entry in entries]
    if any({**options, "weights": other.get("weights")} != other for other in others) or "weights" not in options:
        return None
    columns = list(itertools.zip_longest(*(re.split(r"(\d+)", other["weights"]) for other in others)))
    parts = [merged_text(column) for column in columns]
    return None if None in parts else {kind: {**options, "weights": "".join(parts)}}


def merged_text(column):
    if len(set(column)) == 1:
        return column[0]
    for text, start in (("{i}", 0), ("{n}", 1)):
        if list(column) == [str(i) for i in range(start, start + len(column))]:
            return text
    return None
