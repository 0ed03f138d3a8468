"""Whole networks in TorchScript: traced at one size or scripted, exported, and served at two others."""
import pathlib

import pytest
import repositories_blocks
import repositories_pyramid
import repositories_streams
from checkpoints import ExportError
from repositories import NETWORKS, REFUSED
from support import random_features, random_network
from traced import archive, assert_serves

FILES = {"pyramid": repositories_pyramid, "blocks": repositories_blocks}
HERE = pathlib.Path(__file__).parent


@pytest.mark.parametrize("name, is_scripted", [
    (name, is_scripted) for is_scripted in (False, True) for name, network in NETWORKS.items()
    if network.is_scripted or not is_scripted])
def test_network(case, name, is_scripted):
    example, asked = NETWORKS[name].sizes
    module = random_network(NETWORKS[name].make)
    printed = case.export(archive(case, module, random_features(1, 3, *example), is_scripted))
    assert_serves(case, module, printed, asked)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(case, name):
    """The first operator that stops it is named with its line."""
    make, operator, why = REFUSED[name]
    with pytest.raises(ExportError) as caught:
        case.export(archive(case, random_network(make), random_features(1, 3, 64, 96)))
    assert f"{operator} {repositories_blocks.__file__}:" in str(caught.value)
    assert str(caught.value).endswith(why)


# networks whose sizes are numbers in a trace: more than one of them is needed
@pytest.mark.parametrize("call, example, asked", [
    ("pyramid.py:Semseg()", (41, 49), ((33, 57), (49, 25))),
    ("pyramid.py:Mmseg(is_old=True)", (40, 48), ((33, 50), (71, 25))),
    ("blocks.py:LiteSeg(data=True)", (40, 48), ((33, 50), (71, 25))),
])
def test_module(case, call, example, asked):
    file, _, made = call.partition(".py:")
    module = random_network(lambda: eval(made, vars(FILES[file])))
    printed = case.export(case.save(module.state_dict()), "--module", f"{HERE}/repositories_{call}", "--example",
                          f"1,3,{example[0]},{example[1]}")
    assert_serves(case, module, printed, asked)


@pytest.mark.parametrize("make", (lambda: repositories_pyramid.Bubbliiiing(aux_branch=True),
                                  repositories_streams.PidNet))
def test_output(case, make):
    """The second of several results."""
    module = random_network(make)
    x = random_features(1, 3, 64, 96)
    assert "the result 1 of " in case.export(archive(case, module, x), "--output", "1")
    case.assert_same(case.serve(x), module(x)[1])
