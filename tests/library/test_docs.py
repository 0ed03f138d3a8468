"""Every python block of README.md and docs/library.md runs, from the project's folder, and prints what it says."""
import os
import re
import sys

import pytest
from support import LIBRARY, ROOT, run

BLOCKS = [(page, block) for page in ("README.md", "docs/library.md")
          for block in re.findall(r"(?ms)^```python\n(.*?)^```$", (ROOT / page).read_text())]


def test_there_are_blocks():
    assert {page for page, _ in BLOCKS} == {"README.md", "docs/library.md"} and len(BLOCKS) >= 4


@pytest.mark.parametrize("page, block", BLOCKS)
def test_block(page, block):
    found = run(sys.executable, "-c", block, cwd=ROOT,
                env={**os.environ, "LIBPPM": str(LIBRARY), "PYTHONPATH": str(ROOT / "clients/python")})
    for said in re.findall(r"(?m)^ *print\(.*\) +# (.*)$", block):
        assert said.split(" of ")[0] in found
