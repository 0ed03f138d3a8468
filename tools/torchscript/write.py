"""Writes the entries that an output depends on, once the sizes are known at which the network's code works."""
from checkpoints import ExportError
from networks import Unfit
from networks.net import Net

from . import pyramids
from .graph import located
from .resizes import floor
from .sizes import Size, equal, text

BOUNDS = {"conv": {"kernel": 11, "stride": 64, "dilation": 256, "padding": 4096},
          **dict.fromkeys(("max_pool", "avg_pool"), {"window": 65536, "stride": 65536, "padding": 65535}),
          "adaptive_avg_pool": {"bins": 4096}, "resize": {"size": 65536, "scale": 256}}
FRACTIONS = (0.5, 0.25, 0.125, 0.75, 1.5)


def needed(last):
    """-> the ids of the entries that this one depends on"""
    found, left = set(), [last]
    while left:
        entry = left.pop()
        if id(entry) not in found:
            found.add(id(entry))
            left += entry.inputs
    return found


def settle(program, last):
    """-> ({id of a resize: its options}, {id of an entry: the one it is the same as}, the ids of what is needed)"""
    options, same, used = {}, {}, needed(last)
    for entry in [entry for entry in program.entries if entry.kind == "resize" and id(entry) in used]:
        if all(equal(a, b) for a, b in zip(entry.size, entry.inputs[0].size)):
            same[id(entry)] = entry.inputs[0]
            continue
        options[id(entry)], like = target_of(program, entry, used)
        if like:
            used |= needed(like)
    return options, same, used


def target_of(program, entry, used):
    """-> (the options of the resize, the Entry it is as large as, or None)"""
    x, mode = entry.inputs[0], entry.options["mode"]
    goal = entry.goal()
    if entry.scale and (factor := same_factor(entry.scale)) and by_scale(entry, factor):
        return {"scale": factor, "mode": mode}, None
    if not any(isinstance(n, Size) for n in goal):
        program.note(f"a map is stretched to {goal[0]} x {goal[1]} whatever the size of x, since the archive has these "
                     "numbers as constants")
        return {"size": [int(n) for n in goal], "mode": mode}, None
    before = program.entries[:next(i for i, other in enumerate(program.entries) if other is entry)]
    fitting = [other for other in before if all(equal(a, b) for a, b in zip(goal, other.size))]
    if fitting:
        like = next((other for other in fitting if id(other) in used or other.kind == "input"), fitting[0])
        return {"like": like, "mode": mode}, like
    for times in range(2, 257):
        if all(equal(a, b) for a, b in zip(goal, program.size(x, lambda n, axis: n * times))):
            return {"scale": times, "mode": mode}, None
    for factor in FRACTIONS if mode == "align_corners" else ():  # where only the two sizes matter
        if all(equal(a, floor(n, factor)) for a, n in zip(goal, x.size)):
            return {"scale": factor, "mode": mode}, None
    sentence = f"a map is stretched to {text(goal[0])} by {text(goal[1])}, expected the size of another map, a " \
               "multiple of its own, or numbers that do not depend on the input"
    raise ExportError(located(entry.node, sentence))


def same_factor(scale):
    factors = set(scale)
    return int(scale[0]) if len(factors) == 1 and scale[0] == int(scale[0]) else scale[0] if len(factors) == 1 else None


def by_scale(entry, factor):
    """Whether the size is that of floor(n * factor): a factor may be given beside another size."""
    def side(n):
        return n.apply(lambda v: v * factor // 1) if isinstance(n, Size) else int(n * factor)
    return all(equal(a, side(n)) for a, n in zip(entry.target, entry.inputs[0].size))


def written(program, last, output):
    """-> (the model's JSON without name and weights, {tensor of the model: torch tensor})"""
    try:
        return written_by(Net({}), program, last, output)
    except Unfit as error:
        raise ExportError(f"it {error}") from None


def written_by(net, program, last, output):
    options, same, used = settle(program, last)

    def final(entry):
        while id(entry) in same:
            entry = same[id(entry)]
        return entry

    found = pyramids.find(program, used, final, options)
    inner = frozenset().union(*(pyramid.inner for pyramid in found.values()))
    maps = {}
    for entry in program.entries:
        if entry.kind == "input" and id(entry) not in used and entry is not program.inputs[0]:
            program.note(f"the input {entry.options['name']} is left out, since nothing reads it")
        elif entry.kind == "input":
            maps[id(entry)] = net.input(entry.channels, entry.options["name"])
        elif id(entry) in found:
            pyramid = found[id(entry)]
            maps[id(entry)] = pyramids.write(net, pyramid, maps[id(pyramid.x)],
                                             lambda layer, x: append(net, layer, [x], layer.options, None))
        elif id(entry) in used and id(entry) not in same and id(entry) not in inner:
            given = options.get(id(entry), entry.options)
            maps[id(entry)] = append(net, entry, [maps[id(final(x))] for x in entry.inputs], given,
                                     lambda other: maps[id(final(other))])
    end = maps[id(final(last))]
    if end is not net.last:
        raise ExportError("its result is one of its inputs, or one that others depend on")
    net.output(**output)
    names = {e.options["weights"] for e in program.entries if id(e) in used and "weights" in e.options}
    return net.config(), {name: values for name, values in program.tensors.items() if name.rpartition(".")[0] in names}


def expect_bounds(entry, options):
    """Those of docs/models.md, which the server has, too."""
    for name, most in BOUNDS.get(entry.kind, {}).items():
        given = options.get(name, 1)
        for n in given if isinstance(given, list) else [given]:
            if not isinstance(n, str) and n > most:
                raise ExportError(located(entry.node, f"a {name} of {n}, expected at most {most}"))


def append(net, entry, maps, options, map_of):
    expect_bounds(entry, options)
    if entry.kind in ("add", "mul", "concat"):
        return net.join(entry.kind, maps, entry.channels)
    if entry.kind == "slice":
        first, end = options["between"]
        return net.slice(maps[0], first, end)
    if "like" in options:
        options = {**options, "like": net.name(map_of(options["like"]))}
    return net.read(entry.kind, maps[0], entry.channels, options)
