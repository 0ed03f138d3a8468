"""Tests of the module use the library that is installed for them, and the sources of clients/python."""
import os
import sys

from support import LIBRARY, ROOT

os.environ["LIBPPM"] = str(LIBRARY)
sys.path.insert(0, str(ROOT / "clients/python"))
