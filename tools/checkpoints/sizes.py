"""How much memory a file may take: what it holds, not what it claims."""
import os

from . import ExportError

FREE_BYTES = 64 << 20  # whatever the file's size
TIMES_MAX = 20  # what compressed weights of a file may become


class Budget:
    """Bytes that values of a file may take in all: as many as it has, and a bounded number of those
    that come of compression, of strides of 0, of a fill value."""

    def __init__(self, path, size=None):
        self.path, self.size = path, os.path.getsize(path) if size is None else size
        self.left = FREE_BYTES + TIMES_MAX * self.size

    def take(self, size, what=None):
        """what: to begin the sentence with; None where the caller does."""
        if size > self.left:
            raise ExportError(f"{f'{self.path}: {what} ' if what else ''}would take {amount(size)}, "
                              f"which a file of {amount(self.size)} does not hold")
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
