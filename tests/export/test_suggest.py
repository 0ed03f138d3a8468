"""Where no kind is recognized, shapes alone may show a pyramid: what is suggested is a base that exports."""
import heads
import tensorflow_files as tf
import torch
from checkpoints import ExportError
from support import ExportTest, random_features, random_network
from torch import nn

X = random_features(1, 8, 12, 13)


def under(names, network):
    """The state_dict under names that no kind has: parts of names are replaced."""
    state = {}
    for key, value in network.state_dict().items():
        for name, other in names.items():
            key = key.replace(name, other)
        state[key] = value
    return state


class Suggested(ExportTest):
    def suggest(self, path):
        base = self.folder / "base.json"
        base.write_text(self.export(path, "--suggest"))
        return base

    def assert_suggests(self, sentence, path, network, x=X):
        self.assert_refuses(sentence, path)
        self.assert_refuses("--suggest prints a base, for --base", path)
        self.export(path, "--base", str(self.suggest(path)))
        self.assert_same(self.serve(x), network(x))
        self.model.unlink()

    def test_in_modules(self):
        network = random_network(heads.Semseg)
        path = self.save(under({"ppm.features": "module.context", "cls": "module.fuse"}, network))
        self.assert_suggests("by their shapes, module.context.{i}.1 and the like may be the 4 branches of a pyramid, "
                             "and module.fuse.0 what reads them", path, network)

    def test_with_names(self):
        """Of norms beside their convolutions, counted from 1."""
        network = random_network(heads.Semseg)
        names = {f"ppm.features.{i}.{j}.": f"level{i + 1}_{name}." for i in range(4)
                 for j, name in ((1, "conv"), (2, "bn"))}
        names |= {"cls.0": "fuse_conv", "cls.1": "fuse_bn", "cls.4": "fuse_logits"}
        self.assert_suggests("level{n}_conv and the like", self.save(under(names, network)), network)

    def test_numbers_that_are_no_count(self):
        network = random_network(heads.Semseg)
        names = {f"ppm.features.{i}.": f"psp.bin{bins}." for i, bins in enumerate((1, 2, 3, 6))}
        path = self.save(under({**names, "cls": "psp.last"}, network))
        self.assert_suggests("psp.bin1.1 and the like", path, network)

    def test_a_norm_that_is_missing(self):
        state = random_network(heads.Semseg).state_dict()
        path = self.save({key: value for key, value in state.items() if ".features.3.2." not in key})
        self.assert_refuses("lacks ppm.features.3.2.weight", path)
        with self.assertRaisesRegex(ExportError, "ppm.features.3.2.running_var$"):  # not what --suggest is for
            self.export(path)
        self.suggest(path)
        self.export(path, "--base", str(self.folder / "base.json"))
        self.assertEqual([len(stack) for stack in self.config()["branches"]], [3, 3, 3, 2])

    def test_other_known_module(self):
        """It resembles a kind, and is none."""
        network = random_network(lambda: heads.BubbliiiingModule(8, heads.BINS))
        self.assert_suggests("looks like pspnet-pytorch", self.save(under({"stages": "head.stages", "bottleneck":
                             "head.bottleneck"}, network)), network)

    def test_group_norms(self):
        """Only a network has them, so that the base is one; 32 groups, as far as the channels can be divided so."""
        def make():
            network = heads.Mmseg()
            network.decode_head = heads.MmsegHead(6, 6, 5, True, True)
            for part in network.modules():
                if hasattr(part, "bn"):
                    part.bn = nn.GroupNorm(2, part.bn.num_features)
            return network

        network = random_network(make)
        state = {key.replace(".bn.", ".gn."): value for key, value in network.state_dict().items()}
        self.assert_suggests("has decode_head.psp_modules.0.1.gn.weight and no decode_head.psp_modules.0.1.gn."
                             "running_mean: a GroupNorm", self.save(state), network, random_features(1, 6, 11, 8))

    def test_keras(self):
        pyramid = tf.segmentation_models(12, classes=5)
        layers = {name.replace("psp_level", "branch"): value for name, value in pyramid.layers.items()}
        tf.write_h5(self.folder / "c.h5", layers)
        self.suggest(self.folder / "c.h5")
        self.export(self.folder / "c.h5", "--base", str(self.folder / "base.json"))
        config = self.config()
        self.assertEqual((config["input"], config["pool"]), ({"channels": 12, "layout": "NHWC"}, "same"))
        self.assertEqual([list(layer) if isinstance(layer, dict) else layer for layer in config["branches"][3]],
                         [["conv"], ["batch_norm"], "relu"])

    def test_nothing(self):
        path = self.save({"layer.0.weight": torch.zeros(4, 4, 1, 1), "layer.1.weight": torch.zeros(4, 4, 1, 1)})
        self.assert_refuses("no shapes of its tensors look like those of a pyramid", path, "--suggest")
        self.assert_refuses("with --base and --map you can name the tensors yourself", path)
