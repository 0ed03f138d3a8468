"""What the tests of libppm share: where it is installed, and programs built with it."""
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PREFIX = pathlib.Path(os.environ.get("PPM_PREFIX", ROOT / "build/release/library"))
LIBRARY = PREFIX / "lib/libppm.so.0"
HEADER = PREFIX / "include/ppm.h"
STREET = ROOT / "configs/models/street.json"
PHOTO = ROOT / "configs/samples/street.jpg"
STRICT = {"c": ["gcc", "-std=c11"], "cc": ["g++", "-std=c++11"]}


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def pkg_config(*packages):
    return run("pkg-config", "--cflags", "--libs", *packages,
               env={**os.environ, "PKG_CONFIG_PATH": str(PREFIX / "lib/pkgconfig")}).split()


def build(source, program, *flags, packages=("ppm",)):
    """Compiles as strictly as a user might."""
    compiler = STRICT[source.suffix[1:]]
    run(*compiler, "-Wall", "-Wextra", "-Wpedantic", "-Werror", *flags, source, "-o", program,
        *(pkg_config(*packages) if packages else []))
    return program


def library_path():
    return {**os.environ, "LD_LIBRARY_PATH": str(LIBRARY.parent)}
