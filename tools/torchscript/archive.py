"""Opens a TorchScript archive."""
import pathlib
import warnings
import zipfile

from checkpoints import ExportError
from checkpoints.sizes import printable

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


def load(path):
    """-> the module, in eval mode"""
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
