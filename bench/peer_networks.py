"""Whole networks: our time and memory compared with PyTorch's and ONNX Runtime's, in turns.

The networks are those of tests/networks. PyTorch runs the modules that are written there; ONNX Runtime runs what
PyTorch exports. Every network has new processes, so that each one's peak memory is that of one network.
"""
import time
from collections import namedtuple

import common
from contenders import WORK, progress, start_onnxruntime, start_pytorch
from neighbors import Neighbors
from rounds import medians_of, ratio_text, take_rounds

Network = namedtuple("Network", "name shape what")
NETWORKS = [
    Network("pspnet50", (1, 3, 473, 473), "PSPNet-50 with semseg's deep stem"),
    Network("pspnet50-plain-stem", (1, 3, 473, 473), "PSPNet-50 with a 7x7 stem"),
    Network("resnet101", (1, 3, 473, 473), "PSPNet-101"),
    Network("resnet18", (1, 3, 512, 512), "ResNet-18 with a pyramid"),
    Network("resnet34-stride32", (1, 3, 473, 473), "ResNet-34 of stride 32 with a pyramid"),
    Network("mobilenet-v2", (1, 3, 473, 473), "PSPNet over MobileNetV2"),
    Network("fast-scnn", (1, 3, 1024, 2048), "Fast-SCNN"),
    Network("ddrnet23-slim", (1, 3, 1024, 2048), "DDRNet-23-slim with DAPPM"),
    Network("pidnet-s", (1, 3, 1024, 2048), "PIDNet-S with PAPPM"),
    Network("upernet-resnet50", (1, 3, 512, 512), "UPerNet over ResNet-50"),
    Network("convnext", (1, 3, 512, 512), "blocks of ConvNeXt with a pyramid"),
]
SHORT = Network("fast-scnn", (1, 3, 128, 256), "Fast-SCNN on a small picture")

SOURCES = common.ROOT / "tests/networks"
OURS, PYTORCH, ONNX = "ours", "PyTorch", "ONNX Runtime"
ERROR_MAX = 1e-4  # of the largest value; rounding adds up over the depth of a network
DIFFERENT_MAX = 5e-4  # of the labels


def write_network(network, kind):
    """-> the folder with the network's files, made once"""
    folder = WORK / "networks" / f"{network.name}-{common.shape_text(network.shape[2:])}-{kind}"
    made = folder / f"{network.name}.onnx"
    changed = max(path.stat().st_mtime for path in SOURCES.glob("*.py"))
    if not made.exists() or made.stat().st_mtime < changed:
        progress(f"{network.name}: writing JSON, weights and ONNX")
        common.run(["/usr/bin/python3", str(SOURCES / "write.py"), network.name, str(folder),
                    "--onnx", common.shape_text(network.shape[2:], ","), "--as", kind])
    return folder


def fastest_variant(network, folder, kind, threads):
    """Writes PyTorch's answer to the folder -> how PyTorch is fastest"""
    peer = start_pytorch()
    peer.ask("threads", threads)
    variant = peer.ask("network", network.name, folder, kind)["variant"]
    peer.close()
    return variant


def start_peers(network, folder, kind, variant, threads):
    peers = {PYTORCH: start_pytorch(), ONNX: start_onnxruntime()}
    for peer in peers.values():
        peer.ask("threads", threads)
    peers[PYTORCH].ask("network", network.name, folder, kind, variant)
    peers[ONNX].ask("load", folder / f"{network.name}.onnx", common.shape_text(network.shape, ","),
                    folder)
    return peers


def check_agreement(peers, network, folder, kind):
    """-> our difference from PyTorch's answer: the largest of any value, relative to the largest, or the share of
    labels that differ"""
    common.run([common.SERVER, "run", "--model", str(folder / f"{network.name}.json"), "--input",
                str(folder / "x.npy"), "--output", str(folder / "ours.npy")])
    theirs = f"onnxruntime.{'i32' if kind == 'argmax' else 'f32'}"
    differences = peers[PYTORCH].ask("compare", folder, "ours.npy", theirs)
    limit = DIFFERENT_MAX if kind == "argmax" else ERROR_MAX
    for name, difference in differences.items():
        if not difference <= limit:
            raise SystemExit(f"{folder}/{name} differs from PyTorch's answer by {difference:.1e}, over {limit:.0e}")
    return differences["ours.npy"]


def megabytes(count):
    return f"{count / 1e6:.0f}"


def row(network, answers, peers):
    medians = medians_of(answers)
    ours = medians[OURS]
    cells = [f"{network.name} {common.shape_text(network.shape[2:])}", common.milliseconds(common.median(ours)),
             f"{common.milliseconds(min(ours))}..{common.milliseconds(max(ours))}"]
    for name in peers:
        cells += [common.milliseconds(common.median(medians[name])), ratio_text(ours, medians[name])]
    peaks = [max(answer["max_rss_bytes"] for answer in answers[OURS])]
    peaks += [peer.ask("memory")["max_rss_bytes"] for peer in peers.values()]
    return [*cells, *map(megabytes, peaks)]


def measure(network, options, deadline):
    """-> the network's row, a note, and the peers' versions"""
    folder = write_network(network, options.kind)
    model = folder / f"{network.name}.json"
    progress(f"{network.name}: loading")
    variant = fastest_variant(network, folder, options.kind, options.threads)
    peers = start_peers(network, folder, options.kind, variant, options.threads)
    difference = check_agreement(peers, network, folder, options.kind)
    progress(f"{network.name}: measuring")
    turns = {OURS: lambda: common.measure_ours(model, network.shape, options.threads, options.seconds)}
    for name, peer in peers.items():
        turns[name] = lambda peer=peer: peer.ask("run", options.seconds)
    options.neighbors = Neighbors(options.patience, [peer.process.pid for peer in peers.values()])
    answers, remark = take_rounds(turns, options, deadline)
    cells = row(network, answers, peers)
    versions = [peer.ask("version")["version"] for peer in peers.values()]
    for peer in peers.values():
        peer.close()
    unit = "of the labels" if options.kind == "argmax" else "of the largest value"
    return cells, (f"{network.name}: {network.what}; PyTorch {variant}; we differ from PyTorch by {difference:.0e} "
                   f"{unit}; {remark}"), versions


def compare(networks, options, minutes):
    """Prints the table of the networks."""
    rows, notes, start = [], [], time.monotonic()
    for index, network in enumerate(networks):
        deadline = start + 60 * minutes * (index + 1) / len(networks)
        cells, note, versions = measure(network, options, deadline)
        rows.append(cells)
        notes.append(note)
    header = ["network", "ours, ms", "rounds"]
    for name, version in zip((PYTORCH, ONNX), versions):
        header += [f"{name} {'.'.join(version.split('.')[:2])}, ms", "ours / it"]
    header += [f"peak MB, {name}" for name in (OURS, PYTORCH, ONNX)]
    print(f"Whole networks, {'labels' if options.kind == 'argmax' else 'stretched logits'}; "
          f"{time.monotonic() - start:.0f} s\n")
    common.print_table(header, rows)
    print("", *notes, sep="\n")
