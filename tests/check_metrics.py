#!/usr/bin/python3
"""usage: curl .../metrics | tests/check_metrics.py DASHBOARD.json TABLE.md

Checks Prometheus text on stdin with Prometheus' Python client and against the naming conventions. Then checks
that it has the metrics that a Grafana dashboard uses, and that a table lists all of them."""

import json
import re
import sys

from prometheus_client.parser import text_string_to_metric_families

UNITS = ("_seconds", "_bytes")
WITHOUT_UNIT = {  # plain numbers
    "ppm_requests", "ppm_rejected", "ppm_cancelled", "ppm_batch_size", "ppm_image_pixels", "ppm_requests_in_flight",
    "ppm_queue_depth", "ppm_queue_depth_limit", "ppm_bytes_in_flight", "ppm_bytes_in_flight_limit",
    "ppm_bytes_kept",
    "ppm_connections", "ppm_connections_limit", "ppm_models", "ppm_threads", "ppm_ready",
    "ppm_isa_info", "ppm_build_info", "process_open_fds", "process_max_fds",
}
problems = []


def check(holds, what):
    if not holds:
        problems.append(what)


def check_lines(text):
    """Faults that the parser accepts: families with scattered lines, HELP or TYPE repeated or missing."""
    headed, family = set(), None
    for line in text.splitlines():
        if line.startswith("#"):
            word, name = line.split(" ")[1:3]
            check((word, name) not in headed, f"{word} {name} comes twice")
            headed.add((word, name))
            family = name
            continue
        name = re.match(r"[a-zA-Z_:][a-zA-Z0-9_:]*", line).group()
        check(family and name.startswith(family), f"{line}: found after {family}")
        check({("HELP", family), ("TYPE", family)} <= headed, f"{family}: no HELP or no TYPE")
    check(text.endswith("\n"), "the last line has no end")


def check_histogram(family):
    series = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        one = series.setdefault(tuple(sorted(labels.items())), {"buckets": []})
        if sample.name.endswith("_bucket"):
            one["buckets"].append((float(sample.labels["le"]), sample.value))
        else:
            one[sample.name[len(family.name):]] = sample.value
    for labels, one in series.items():
        what = f"{family.name}{labels}"
        bounds = [bound for bound, _ in one["buckets"]]
        counts = [count for _, count in one["buckets"]]
        check(bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), f"{what}: {bounds}")
        check(counts == sorted(counts), f"{what}: the buckets do not add up: {counts}")
        check(one["_count"] == counts[-1] and one["_sum"] >= 0, f"{what}: {one}")


def check_families(text):
    families = list(text_string_to_metric_families(text))
    samples = [(sample.name, tuple(sorted(sample.labels.items())))
               for family in families for sample in family.samples]
    check(len(samples) == len(set(samples)), "a sample comes twice")
    check(len(families) >= 20, f"found {len(families)} families, expected 20 and more")
    for family in families:
        check(family.samples, f"{family.name}: no samples")
        check(family.type in ("counter", "gauge", "histogram"), f"{family.name}: {family.type}")
        check(family.name.endswith(UNITS) or family.name in WITHOUT_UNIT,
              f"{family.name}: no unit at its end")
        if family.type == "counter":  # named without _total
            check(all(sample.name.endswith("_total") for sample in family.samples), family.name)
        if family.type == "histogram":
            check_histogram(family)
    return families, {name for name, _ in samples}


def check_dashboard(path, names):
    def strings(node):
        if isinstance(node, dict):
            for value in node.values():
                yield from strings(value)
        elif isinstance(node, list):
            for value in node:
                yield from strings(value)
        elif isinstance(node, str):
            yield node

    with open(path, encoding="utf-8") as file:
        dashboard = json.load(file)
    queries = [target["expr"] for panel in dashboard["panels"]
               for target in panel.get("targets", [])]
    queries += [text for text in strings(dashboard["templating"]) if "(" in text]
    named = {name for query in queries for name in re.findall(r"\b(?:ppm|process)_\w+", query)}
    check(len(queries) >= 20 and len(named) >= 20, f"{path}: {len(queries)} queries")
    for name in sorted(named - names):
        check(False, f"{path}: {name} is not in /metrics")


def check_table(path, families):
    """The first column of a table has exactly the families, in backticks."""
    with open(path, encoding="utf-8") as file:
        cells = [line.split("|")[1] for line in file if line.startswith("| `")]
    documented = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    shown = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    for name in sorted(documented ^ shown):
        check(False, f"{name} is only in {path if name in documented else '/metrics'}")


exposition = sys.stdin.read()
check_lines(exposition)
found_families, found_names = check_families(exposition)
check_dashboard(sys.argv[1], found_names)
check_table(sys.argv[2], found_families)
for problem in problems:
    print(f"metrics: {problem}")
sys.exit(1 if problems else 0)
