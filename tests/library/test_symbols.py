"""libppm exports what ppm.h declares, and asks nothing of a program that a library should not."""
import re

import pytest
from support import HEADER, LIBRARY, STRICT, run

# It prints nothing, talks to nobody, starts and ends no process, and changes nothing that is the program's own.
# Assertions, for programs that break the rules of ppm.h, are all that stops one.
FORBIDDEN = re.compile(r"(__)?(v?f?printf|v?dprintf|puts|fputs|fwrite|putchar|putc|fputc|perror|write|writev|stdout|stderr|"
                       r"syslog|_?exit|_Exit|quick_exit|abort|raise|kill|signal|sigaction|socket|connect|bind|listen|send\w*|"
                       r"recv\w*|getaddrinfo|fork|vfork|exec\w*|system|popen|posix_spawn\w*|setenv|putenv|unsetenv|"
                       r"setlocale|chdir|umask|atexit|dlopen|omp_set_\w+|sched_setaffinity)(_chk)?")


def symbols(path, *options):
    """{name without its version: type}"""
    lines = (line.split()[-2:] for line in run("nm", "-D", *options, path).splitlines())
    return {name.split("@")[0]: kind for kind, name in lines}


def declared(tmp_path):
    """The functions that the compiler sees declared in ppm.h."""
    (tmp_path / "all.c").write_text(f'#include "{HEADER}"\n')
    run("gcc", "-std=c11", "-c", tmp_path / "all.c", "-aux-info", tmp_path / "all.X", "-o", tmp_path / "all.o")
    lines = (tmp_path / "all.X").read_text().splitlines()
    ours = [line for line in lines if f"{HEADER}:" in line and " static " not in line]
    return {re.search(r"\b(\w+) \(", line.split("*/")[1])[1] for line in ours}


def test_exports_are_the_header_s(tmp_path):
    names = declared(tmp_path)
    assert {"ppm_run", "ppm_image_run", "ppm_version"} <= names
    assert symbols(LIBRARY, "--defined-only") == dict.fromkeys(names, "T")


def test_imports_are_a_library_s():
    imports = symbols(LIBRARY, "--undefined-only")
    assert "malloc" in imports
    assert [name for name in imports if FORBIDDEN.fullmatch(name)] == []


def test_a_planted_call_is_found(tmp_path):
    (tmp_path / "loud.c").write_text("#include <stdio.h>\nint ppm_loud(int i) { return printf(\"%d\", i); }\n")
    run("gcc", "-O2", "-D_FORTIFY_SOURCE=2", "-shared", "-fPIC", tmp_path / "loud.c", "-o", tmp_path / "loud.so")
    assert [name for name in symbols(tmp_path / "loud.so", "--undefined-only") if FORBIDDEN.fullmatch(name)]


def test_needs_few_libraries():
    found = re.findall(r"\(NEEDED\).*\[(.*?)\.so", run("readelf", "--dynamic", LIBRARY))
    assert set(found) <= {"libjansson", "libsleef", "libgomp", "libomp", "libm", "libc", "ld-linux-x86-64", "ld-linux-aarch64"}


def test_the_header_includes_the_c_library_only():
    assert set(re.findall(r'#include (.*)', HEADER.read_text())) == {"<stdbool.h>", "<stddef.h>", "<stdint.h>"}


@pytest.mark.parametrize("language", STRICT)
def test_the_header_stands_alone(tmp_path, language):
    source = tmp_path / f"alone.{language}"
    source.write_text("#include <ppm.h>\n#include <ppm.h>\nint main() { return 0; }\n")
    run(*STRICT[language], "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror",
        f"-I{HEADER.parent}", "-c", source, "-o", tmp_path / "alone.o")
