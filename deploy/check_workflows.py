#!/usr/bin/python3
"""usage: deploy/check_workflows.py     by "make check-workflows"

The workflows run make targets that exist, and ci.yml the same ones as .ci/run. Actions are pinned to a commit,
and jobs have only read permissions unless declared.
"""

import pathlib
import re
import shlex
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
failures = []


def fail(text):
    failures.append(text)
    print(f"check-workflows: {text}", file=sys.stderr)


def make_calls(script):
    """The targets of each "make TARGET... VARIABLE=VALUE" among the commands of a script."""
    for line in script.splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = next((i for i, word in enumerate(words) if re.fullmatch(r"&&|\|\||[;|]", word)), len(words))
            command, words = words[:end], words[end + 1:]
            if command[:1] == ["make"]:
                targets = [word for word in command[1:] if "=" not in word and not word.startswith("-")]
                yield from targets or ["all"]


def texts(node):
    """Every value of a key "run", in steps and in a matrix whose steps run it."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "run" and isinstance(value, str):
                yield value
            else:
                yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


def check_matrix(name, job):
    """Checks that no command runs twice on the same kind of runner."""
    commands = [(entry.get("runner", "the usual one"), command.strip())
                for entry in job.get("strategy", {}).get("matrix", {}).get("include", [])
                for command in entry.get("run", "").split("&&")]
    for runner, command in sorted({each for each in commands if commands.count(each) > 1}):
        fail(f"the job {name} runs {command} twice, on {runner}")


def check_workflow(path, existing):
    """Returns the make targets that the workflow calls."""
    text = path.read_text()
    workflow = yaml.safe_load(text)
    called = {target for run in texts(workflow["jobs"]) for target in make_calls(run)}
    for target in sorted(called - existing):
        fail(f"{path.name}: calls make {target}, which is no target")
    for use in re.findall(r"^\s*(?:- )?uses: *(.*)$", text, re.MULTILINE):
        if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use):
            fail(f"{path.name}: found uses: {use}, expected a commit and its version: @SHA # v1.2.3")
    if workflow.get("permissions") != {"contents": "read"}:
        fail(f"{path.name}: found permissions {workflow.get('permissions')}, expected contents: read")
    for name, job in workflow["jobs"].items():
        if "timeout-minutes" not in job:
            fail(f"{path.name}: the job {name} has no timeout-minutes")
        check_matrix(name, job)
    print(f"{path.name}: {len(workflow['jobs'])} jobs call {len(called)} make targets")
    return called


def main():
    makefiles = "\n".join((ROOT / name).read_text() for name in ("Makefile", "bench/bench.mk", "deploy/deploy.mk"))
    existing = set(re.findall(r"^\.PHONY: ([a-z0-9-]+)$", makefiles, re.MULTILINE))
    calls = {path.name: check_workflow(path, existing) for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}
    script = (ROOT / ".ci/run").read_text()
    steps = re.findall(r"^(?:\[.*\|\| )?make (.*)$", script, re.MULTILINE)
    here = {target for words in steps for target in make_calls(f"make {words}".split(" >")[0])} - {"setup"}
    for target in sorted(here - existing):
        fail(f".ci/run: calls make {target}, which is no target")
    for target in sorted(here - calls["ci.yml"]):
        fail(f"ci.yml: does not call make {target}, as .ci/run does")
    for target in sorted(calls["ci.yml"] - here):
        fail(f".ci/run: does not call make {target}, as ci.yml does")
    if not failures:
        print(f".ci/run: calls the same {len(here)} as ci.yml")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
