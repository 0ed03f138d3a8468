#!/usr/bin/env python3
"""usage: tests/check_security.py SECURITY.md < SETTINGS.json

Checks the limits in SECURITY.md: its settings, with "ppm-server serve --print-config" on stdin, must include
every setting that limits or enables something, and its constants must match the sources."""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
# Irrelevant to security: address, cores, models, the log's format.
LEFT_OUT = {"port", "threads", "models", "log_level", "log_format"}
problems = []


def check(holds, what):
    if not holds:
        problems.append(what)


def tables(text):
    """-> lists of rows, each of cells"""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in block.splitlines()]
        yield rows[0], rows[2:]


def check_value(cell, value, key):
    """cell: "65536 (64 KiB)", "10000 (10 s)", "none", "false", "0600"."""
    plain, _, spelled = cell.partition(" (")
    shown = "none" if value in ("", []) else json.dumps(value) if isinstance(value, bool) else str(value)
    check(plain == shown, f"{key}: found {plain}, the program has {shown}")
    if spelled:
        number, unit = spelled.rstrip(")").split()
        per_s = 1000 if key.endswith("_ms") else 1
        check(int(number) * UNITS.get(unit, per_s) == value, f"{key}: {value} is not {number} {unit}")
        check(unit in UNITS or unit == "s", f"{key}: unknown unit {unit}")


def constant_of(path, name):
    found = re.findall(rf"\b{name} = ([0-9 *<]+?)\s*[,}}]", (ROOT / path).read_text())
    if len(found) != 1:
        return None
    factors = [shift.split("<<") for shift in found[0].split("*")]
    value = 1
    for number, *shift in factors:
        value *= int(number) << (int(shift[0]) if shift else 0)
    return value


def check_settings(rows, defaults):
    listed = {}
    for setting, default, *_ in rows:
        listed[setting.strip("`")] = default
    check(len(listed) == len(rows), "a setting comes twice")
    for key, cell in listed.items():
        check(key in defaults, f"{key} is no setting")
        if key in defaults:
            check_value(cell, defaults[key], key)
    for key in sorted(set(defaults) - LEFT_OUT - set(listed)):
        check(False, f"{key} is a setting that the table lacks")


def check_constants(rows):
    for what, limit, where in rows:
        path, name = re.findall(r"`([^`]+)`", where)
        value = constant_of(path, name)
        check(value is not None, f"{what}: {name} is not in {path}")
        if value is not None:
            check_value(limit, value, what)
    check(len(rows) >= 10, f"found {len(rows)} constants, expected 10 and more")


document = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
by_head = {head[0]: rows for head, rows in tables(document)}
check_settings(by_head["setting"], json.load(sys.stdin))
check_constants(by_head["limit on"])
for path in re.findall(r"`((?:tests|server|core)/[\w./]+\.\w+)`", document):
    check((ROOT / path).exists(), f"{path} is not there")
for target in re.findall(r"`make ([a-z-]+)`", document):
    check(re.search(rf"(?m)^{target}:", "".join(
        (ROOT / name).read_text() for name in ("Makefile", "bench/bench.mk", "deploy/deploy.mk"))),
        f"there is no make {target}")
for problem in problems:
    print(f"security: {problem}")
if not problems:
    print(f"security: {len(by_head['setting'])} settings and {len(by_head['limit on'])} constants are as "
          "SECURITY.md has them")
sys.exit(1 if problems else 0)
