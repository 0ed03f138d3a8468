"""Finds pyramids: concats of a map's adaptive averages, each with layers of its own, stretched back to the map's size.

The layers would compute the same one by one; as a pyramid, what reads the concat takes its products on the small grids.
"""
from collections import Counter, namedtuple

from .sizes import equal

LINEAR = ("align_corners", "half_pixel")
PLACES = {0: "input_first", -1: "input_last", None: "branches"}
OTHERS = ("input", "add", "mul", "concat", "resize", "adaptive_avg_pool")  # what a branch does not hold
BRANCHES_MIN = 2

# x: the Entry that is pooled; branches: the Entries of each, without pool and stretch; inner: the ids of all of them
Pyramid = namedtuple("Pyramid", "x bins branches mode concat inner")


def find(program, used, final, targets):
    """-> {id of a concat: Pyramid}. used: ids of the entries that are written; final: an Entry -> what it is the same
    as; targets: {id of a resize: its options}"""
    entries = [entry for entry in program.entries if id(entry) in used]
    counts = Counter(id(final(x)) for entry in entries for x in entry.inputs)
    likes = {id(final(given["like"])) for given in targets.values() if "like" in given}
    found = {}
    for entry in entries:
        pyramid = pyramid_of(entry, final, counts) if entry.kind == "concat" else None
        if pyramid and not pyramid.inner & likes:
            found[id(entry)] = pyramid
    return found


def pyramid_of(concat, final, counts):
    """-> Pyramid, or None"""
    parts = [final(x) for x in concat.inputs]
    branches = [branch_of(part, final, counts) for part in parts]
    places = [place for place, branch in enumerate(branches) if branch is None]
    place = {(): None, (0,): 0, (len(parts) - 1,): -1}.get(tuple(places), "inside")
    branches = [branch for branch in branches if branch]
    if place == "inside" or len(branches) < BRANCHES_MIN:
        return None
    x, mode = branches[0].x, branches[0].mode
    if any(branch.x is not x or branch.mode != mode for branch in branches):
        return None
    if place is not None and parts[place] is not x:
        return None
    inner = frozenset().union(*(branch.inner for branch in branches))
    return Pyramid(x, [branch.bins for branch in branches], [branch.layers for branch in branches], mode, PLACES[place],
                   inner)


Branch = namedtuple("Branch", "x bins layers mode inner")


def branch_of(part, final, counts):
    """-> what is stretched back to the size of what is pooled, or None"""
    if part.kind != "resize" or part.options["mode"] not in LINEAR or counts[id(part)] != 1:
        return None
    layers, inner, entry = [], {id(part)}, final(part.inputs[0])
    while entry.kind not in OTHERS and counts[id(entry)] == 1:
        layers.insert(0, entry)
        inner.add(id(entry))
        entry = final(entry.inputs[0])
    if entry.kind != "adaptive_avg_pool" or counts[id(entry)] != 1 or not isinstance(entry.options["bins"], int):
        return None
    x = final(entry.inputs[0])
    if not all(equal(a, b) for a, b in zip(part.goal(), x.size)):
        return None
    return Branch(x, entry.options["bins"], layers, part.options["mode"], frozenset(inner | {id(entry)}))


def write(net, pyramid, x, append):
    """append(entry, map) -> the map of a layer"""
    def branch(y, i):
        for entry in pyramid.branches[i]:
            y = append(entry, y)
        return y

    return net.pyramid(x, pyramid.bins, branch, upsample=pyramid.mode, concat=pyramid.concat)
