"""A server for an example, and how long something takes."""
import contextlib
import re
import subprocess
import sys
import time


@contextlib.contextmanager
def served(program, *models):
    """-> the URL of a server with these models, stopped at the end of the block"""
    command = [program, "serve", *(word for model in models for word in ("--model", model)), "--port", "0"]
    print("$", *command, flush=True)
    server = subprocess.Popen([*command, "--log-level", "warn"], stderr=subprocess.PIPE, text=True)
    try:
        for line in server.stderr:
            if found := re.search(r"listening on (http\S+)", line):
                yield found[1]
                return
            print(line, end="", file=sys.stderr)
        raise SystemExit("the server did not start")
    finally:
        server.terminate()
        server.communicate()


def timed(name, compute, *arguments):
    started = time.perf_counter()
    result = compute(*arguments)
    print(f"{name}: {(time.perf_counter() - started) * 1000:.1f} ms")
    return result
