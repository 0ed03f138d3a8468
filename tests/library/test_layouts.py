"""The module's structs and numbers are those of ppm.h."""
import ctypes

from ppm import _library, Status
from support import build, library_path, run


def structs():
    return [value for value in vars(_library).values()
            if isinstance(value, type) and issubclass(value, ctypes.Structure) and value is not ctypes.Structure]


def test_layouts(tmp_path):
    lines, expected = [], []
    for struct in structs():
        name = struct.__name__
        lines.append(f"sizeof(struct {name})")
        expected.append(ctypes.sizeof(struct))
        for field, _ in struct._fields_:
            lines += [f"offsetof(struct {name}, {field})", f"sizeof(((struct {name} *)0)->{field})"]
            expected += [getattr(struct, field).offset, getattr(struct, field).size]
    lines += [f"(size_t)PPM_{status.name}" for status in Status]
    expected += list(Status)
    lines += ["(size_t)PPM_ERROR_TEXT_BYTES", "(size_t)PPM_INPUTS_MAX", "(size_t)PPM_FLOAT32", "(size_t)PPM_INT32"]
    expected += [_library.PPM_ERROR_TEXT_BYTES, _library.PPM_INPUTS_MAX, 0, 1]
    prints = "\n".join(f'    printf("%zu {line}\\n", {line});' for line in lines)
    source = tmp_path / "layouts.c"
    source.write_text(f"#include <ppm.h>\n#include <stdio.h>\nint main(void)\n{{\n{prints}\n}}\n")
    found = run(build(source, tmp_path / "layouts"), env=library_path()).splitlines()
    assert len(structs()) >= 10
    assert found == [f"{number} {line}" for number, line in zip(expected, lines)]
