"""What the benchmarks share: the cases, our time, the table, the machine."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
from collections import namedtuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
SERVER = os.environ.get("PPM_SERVER", str(ROOT / "build/ppm-server"))

Case = namedtuple("Case", "name model shape what")

CASES = [
    Case("A", "bench/models/pspnet-1x1.json", (1, 2048, 60, 60),
         "PSPNet's pyramid, 1x1 bottleneck to 512"),
    Case("B", "bench/models/psp-2048.json", (1, 2048, 60, 60),
         "PSPModule: 2048-channel linear branches, 1x1 to 1024"),
    Case("D", "configs/models/fast-scnn.json", (1, 128, 32, 64), "Fast-SCNN, 1x1 to 128"),
    Case("E", "configs/models/mobilenet-pspnet.json", (1, 320, 30, 30),
         "MobileNet PSPNet, 3x3 to 80"),
    Case("F", "configs/models/listing2-pytorch-psp.json", (1, 3, 30, 30),
         "PSPModule's own demo, 1x1 to 1024"),
    Case("G", "bench/models/pspnet-3x3.json", (1, 2048, 60, 60),
         "PSPNet as in semseg, 3x3 bottleneck to 512"),
]


HELP = {"connections": "numbers of connections, separated by commas", "isa": "instruction sets, separated by commas",
        "threads": "numbers of threads, separated by commas", "seconds": "seconds for each measurement",
        "rounds": "number of rounds; shows their medians", "patience": "seconds to wait for other programs to be quiet"}


def parser(doc, cases, default_cases=(), flag=None, **defaults):
    """A parser for CASE... and options with these defaults: a list of numbers or words has a text."""
    ret = argparse.ArgumentParser(description=doc.splitlines()[0])
    ret.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(case.name for case in cases)} "
                     f"[{' '.join(default_cases) or 'all'}]")
    if flag:
        ret.add_argument("--flag", action="append", default=[],
                         help=f"a flag of ppm-server serve, may repeat: --flag={flag}")
    for name, value in defaults.items():
        kind = {int: float if name == "patience" else int, float: float,
                str: lambda text: [int(word) if word.isdigit() else word for word in text.split(",") if word]}
        ret.add_argument(f"--{name}", type=kind[type(value)], default=value, help=f"{HELP[name]} [{value or 'all'}]")
    return ret


def chosen_cases(names, cases=None):
    """The cases with these names, or all if there are none."""
    cases = cases or CASES
    unknown = set(names) - {case.name for case in cases}
    if unknown:
        raise SystemExit(f"no case {', '.join(sorted(unknown))}; there are "
                         f"{', '.join(case.name for case in cases)}")
    return [case for case in cases if not names or case.name in names]


def entry(main):
    """Runs a script's main; Ctrl-C ends it without a traceback."""
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def shape_text(shape, by="x"):
    return by.join(map(str, shape))


def median(values):
    values = sorted(values)
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def run(command, **environment):
    """Returns what a command prints; its stderr is ours."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT,
                          env={**os.environ, **environment}).stdout


def bfloat16_model(case):
    """The same model with "compute": "bfloat16", where there is one and this machine serves it."""
    path = (ROOT / case.model).with_name(
        case.model.rpartition("/")[2].replace(".json", "-bfloat16.json"))
    if not path.exists():
        return None
    try:
        run([SERVER, "describe", "--model", str(path)])
    except subprocess.CalledProcessError:  # the program has said why
        return None
    return path


def measure_ours(model, shape, threads, seconds, **environment):
    """The result of ppm-server bench."""
    command = [SERVER, "bench", "--model", str(model), "--shape", shape_text(shape, ","),
               "--threads", str(threads), "--seconds", str(seconds), "--json"]
    return json.loads(run(command, **environment))


def default_threads():
    """The number of threads that ppm-server uses by default."""
    case = next(case for case in CASES if case.name == "F")
    command = [SERVER, "bench", "--model", case.model, "--shape", shape_text(case.shape, ","),
               "--seconds", "1", "--json"]
    return json.loads(run(command))["threads"]


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        fields = dict(line.strip().partition(":")[::2] for line in lines if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    return fields.get("model name") or fields.get("CPU part") or "unknown CPU"


def cache_sizes():
    """The first core's L1d, L2 and L3."""
    found = []
    for folder in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind, level, size = ((folder / name).read_text().strip()
                             for name in ("type", "level", "size"))
        if kind != "Instruction":
            found.append(f"L{level}{'d' if kind == 'Data' else ''} {size}")
    return ", ".join(found)


def describe_machine(threads):
    return f"{cpu_name()}, {threads} threads, caches {cache_sizes() or 'unknown'}"


def milliseconds(value):
    """Three significant digits."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def print_table(header, rows):
    """An aligned Markdown table, with all but the first column to the right."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells):
        padded = [cell.ljust(width) if i == 0 else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(cells, widths))]
        print(f"| {' | '.join(padded)} |")

    line(header)
    line(["-" * width if i == 0 else "-" * (width - 1) + ":" for i, width in enumerate(widths)])
    for row in rows:
        line(row)
    sys.stdout.flush()
