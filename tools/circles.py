#!/usr/bin/env python3
"""usage: tools/circles.py OBJECTS     by "make lint"; OBJECTS is a build folder such as build/lint

A file uses files of its own room and of the rooms below it, in no circle. Calls are read from the objects'
symbols, includes from the sources. Each circle and each use of a room above or next to it is a line
"file:line: rule: what"; exit status 1 if there is any.
"""
import collections
import glob
import os
import re
import subprocess
import sys

DOORS = {"simd/simd.h", "core/ppm.h"}  # tools/lint.sh has the rules for them
# From the bottom up; rooms of one row do not use each other. "" is the files that are in no folder.
FLOORS = {
    "simd": [[""]],
    "core": [["base"], ["model"], ["shape"], ["reference", "plan"], ["engine"], [""], ["image"]],
    "server": [["base"], ["config", "observe"], ["http"], ["codec", "shared_memory"], ["image"], ["executor"], ["models"],
               ["handlers"], ["service"], ["commands"], ["main"]],
}
HEIGHTS = {(floor, room): (f, r) for f, (floor, rows) in enumerate(FLOORS.items())
           for r, row in enumerate(rows) for room in row}


def room_of(file):
    """(floor, room); the room of a file in no folder is its stem, or else ""."""
    floor, _, rest = file.partition("/")
    room = rest.split("/")[0] if "/" in rest else rest.split(".")[0]
    if "/" not in rest and (floor, room) not in HEIGHTS:
        room = ""
    if (floor, room) not in HEIGHTS:
        raise SystemExit(f"{file}:1: rooms: tools/circles.py does not know {floor}/{room}")
    return floor, room


def may_use(file, other):
    here, there = room_of(file), room_of(other)
    return here == there or HEIGHTS[here] > HEIGHTS[there]


def read_calls(objects):
    """{file: {file whose symbols it uses: one of them}}"""
    files = {}
    for path in glob.glob("**/*.o", root_dir=objects, recursive=True):
        source = glob.glob(path[:-1] + "c*")  # none: left from a file that is gone
        if path.split("/")[0] in FLOORS and source:
            files[os.path.join(objects, path)] = source[0]
    if not files:
        raise SystemExit(f"{objects}: rooms: found no objects")
    owners, needs = {}, {file: [] for file in files.values()}
    listing = subprocess.run(["nm", "-AP", *files], check=True, capture_output=True, text=True).stdout
    for path, symbol, kind in (line.split()[:3] for line in listing.splitlines()):
        if kind == "U":
            needs[files[path[:-1]]].append(symbol)
        elif kind.isupper():
            owners[symbol] = files[path[:-1]]
    return {file: {owners[symbol]: symbol for symbol in symbols if owners.get(symbol, file) != file}
            for file, symbols in needs.items()}


def read_includes():
    """(file, line, what it includes) of our own files."""
    for floor in FLOORS:
        for file in sorted(glob.glob(f"{floor}/**/*.[ch]*", recursive=True)):
            if not file.endswith((".c", ".h", ".cc")):
                continue
            with open(file, encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
                    if found and found[1].split("/")[0] in FLOORS and not {file, found[1]} & DOORS:
                        yield file, number, found[1]


def walk(calls, start):
    """{file that start reaches: the file before it}, nearest first"""
    before, queue = {}, collections.deque([start])
    while queue:
        file = queue.popleft()
        for callee in sorted(calls.get(file, {})):
            if callee not in before:
                before[callee] = file
                queue.append(callee)
    return before


def find_circles(calls):
    """Each largest set of files that reach each other, as (its size, a shortest way around in it)."""
    reach = {file: walk(calls, file) for file in calls}
    done = set()
    for file in sorted(calls):
        if file in reach[file] and file not in done:
            done |= (circle := {other for other in reach[file] if file in reach.get(other, {})})
            way = [file, reach[file][file]]
            while way[-1] != file:
                way.append(reach[file][way[-1]])
            yield len(circle), way[::-1]


def main():
    calls = read_calls(sys.argv[1])
    for file in calls:
        room_of(file)
    found = [f"{file}:1: rooms: calls {symbol} of {other}, a room above or next to it"
             for file, others in sorted(calls.items()) for other, symbol in sorted(others.items())
             if not may_use(file, other)]
    found += [f"{file}:{line}: rooms: includes {other}, a room above or next to it"
              for file, line, other in read_includes() if not may_use(file, other)]
    found += [f"{way[0]}:1: circle of {size} files: {' -> '.join(way)}, by " +
              ", ".join(calls[a][b] for a, b in zip(way, way[1:])) for size, way in find_circles(calls)]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
