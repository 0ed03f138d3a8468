"""Habits of real code in TorchScript: what is in place, what sizes follow from, what is written out."""
import pytest
from checkpoints import ExportError
from habits import HABITS
from habits_refused import REFUSED
from support import random_features, random_network
from traced import archive, assert_serves


@pytest.mark.parametrize("name", HABITS)
def test_habit(case, name):
    make, sizes = HABITS[name]
    module = random_network(make)
    printed = case.export(archive(case, module, random_features(1, 3, 16, 12)))
    assert_serves(case, module, printed, sizes)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(case, name):
    make, sentence = REFUSED[name]
    with pytest.raises(ExportError) as caught:
        case.export(archive(case, random_network(make), random_features(1, 3, 16, 12)))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not case.model.exists()
