"""Opens a TorchScript archive."""
import io
import pathlib
import warnings
import zipfile

from checkpoints import ExportError, pickled
from checkpoints.sizes import printable
from checkpoints.unpickler import SafeUnpickler

START_BYTES = 4


def is_archive(path):
    """Whether a file is an archive with code, and not weights alone."""
    try:
        with open(path, "rb") as file:
            if file.read(START_BYTES) != b"PK\x03\x04":
                return False
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in f"/{name}" for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


class Claims(SafeUnpickler):
    """sizes: {storage: bytes} as a pickle has them. PyTorch believes it, and reads past the end of a shorter one."""

    def __init__(self, file, budget):
        super().__init__(file, budget, lambda *_: None)
        self.sizes = {}

    def persistent_load(self, pid):
        storage = super().persistent_load(pid)
        self.sizes[storage.key] = max(self.sizes.get(storage.key, 0), storage.count * item_bytes(storage.kind))
        return storage


def check_storages(path, budget):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.getinfo(name).file_size for name in archive.namelist()}
        for name in members:
            folder, _, file = name.partition("/")
            if file in STORAGES_OF:
                with pickled.open_member(archive, name, budget)[0] as member:
                    data = member.read()
                claims = Claims(pickled.Bounded(io.BytesIO(data), len(data)), budget)
                claims.load()
                for key, size in claims.sizes.items():
                    found = members.get(f"{folder}/{STORAGES_OF[file]}/{key}", 0)
                    if found < size:
                        raise ExportError(f"{path}: the storage {printable(key)} has {found} bytes, expected {size}: "
                                          "the file is damaged")


STORAGES_OF = {"data.pkl": "data", "constants.pkl": "constants"}


def item_bytes(kind):
    return int(pickled.STORAGES[kind][2:]) if kind in pickled.STORAGES else pickled.SIZES.get(kind, 1)


def load(path):
    """-> the module, in eval mode"""
    pickled.read(path, check_storages)
    try:
        import torch
    except ImportError:
        raise ExportError(f"{path}: a TorchScript archive, which only PyTorch can read (apt-get install "
                          "python3-torch, and run this with /usr/bin/python3)") from None
    torch.set_grad_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = torch.jit.load(str(pathlib.Path(path)), map_location="cpu")
        module.eval()
        return module
    except Exception as error:  # a damaged archive can raise anything
        raise ExportError(f"{path}: PyTorch {torch.__version__} cannot read it: {first_sentence(error)}") from None


def first_sentence(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(lines[0])[:300] if lines else type(error).__name__
