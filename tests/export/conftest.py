"""What the tests of functions share with those of classes."""
import pytest
from support import ExportTest


@pytest.fixture
def case(tmp_path):
    """The methods of ExportTest, in a folder of their own."""
    made = ExportTest()
    made.folder, made.model = tmp_path, tmp_path / "model.json"
    return made
