"""Builds pickles and archives piece by piece."""
import io
import pickle
import struct
import zipfile


def pickled(body, protocol=4):
    return pickle.PROTO + bytes([protocol]) + body + pickle.STOP


def text(word):
    return pickle.SHORT_BINUNICODE + bytes([len(word)]) + word.encode()


def call(module, name, arguments):
    """arguments: opcodes that leave a tuple on the stack"""
    return pickle.GLOBAL + f"{module}\n{name}\n".encode() + arguments + pickle.REDUCE


def length(n):
    return struct.pack("<Q", n)


def storage(kind, module="torch"):
    """Opcodes that leave a storage of 16 bytes with key 0 on the stack."""
    return (pickle.MARK + text("storage") + pickle.GLOBAL + f"{module}\n{kind}\n".encode() + text("0")
            + text("cpu") + pickle.BININT1 + b"\x10" + pickle.TUPLE + pickle.BINPERSID)


def zipped(content, members):
    """The bytes of an archive with members {name: bytes}, and those of the archive `content` they do not replace."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name, data in members.items():
            new.writestr(name, data)
        if content is not None:
            with zipfile.ZipFile(content) as old:
                for name in old.namelist():
                    if name not in members:
                        new.writestr(name, old.read(name))
    return made.getvalue()
