"""Bounds the memory of a file by its size, not by what it claims."""
import os

from . import ExportError

FREE_BYTES = 64 << 20  # for a file of any size
TIMES_MAX = 20  # the bound on decompression


class Budget:
    """The bytes that all values of a file may take: its own size, and a bounded number more
    through compression, strides of 0, or a fill value."""

    def __init__(self, path, size=None):
        self.path, self.size = path, os.path.getsize(path) if size is None else size
        self.left = FREE_BYTES + TIMES_MAX * self.size

    def take(self, size, what=None):
        """what: begins the message; None if the caller adds that."""
        if size > self.left:
            raise ExportError(f"{f'{self.path}: {what} ' if what else ''}would take {amount(size)}, "
                              f"which a file of {amount(self.size)} cannot contain")
        self.left -= size


def amount(size):
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size} bytes"


def plural(count, one, many=None):
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def printable(text):
    """For a terminal and one line: control characters and lone surrogates as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
                   if not 0xD800 <= ord(c) < 0xE000 else f"\\u{ord(c):04x}" for c in text)
