"""Whole networks in TorchScript: traced at one size or scripted, exported, and served at two others."""
import pytest
from repositories import NETWORKS
from support import random_features, random_network
from traced import archive, assert_serves


@pytest.mark.parametrize("name, is_scripted", [
    (name, is_scripted) for is_scripted in (False, True) for name, network in NETWORKS.items()
    if network.is_scripted or not is_scripted])
def test_network(case, name, is_scripted):
    example, asked = NETWORKS[name].sizes
    module = random_network(NETWORKS[name].make)
    printed = case.export(archive(case, module, random_features(1, 3, *example), is_scripted))
    assert_serves(case, module, printed, asked)
