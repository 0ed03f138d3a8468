"""tools/export.py --module: networks of the user's own code, traced at several sizes."""
import sys
import textwrap

import export
import torch
from checkpoints import ExportError
from support import ExportTest, random_features

CODE = """
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Zoomed(nn.Module):
        '''As hszhao/semseg does: Python computes the size, which a trace has as a number.'''
        def __init__(self, zoom):
            super().__init__()
            self.zoom = zoom
            self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, 2, 1))
            self.cls = nn.Conv2d(8, 5, 1)

        def forward(self, x):
            size = x.size()
            assert (size[2] - 1) % 8 == 0 and (size[3] - 1) % 8 == 0
            h, w = (int((size[axis] - 1) / 8 * self.zoom + 1) for axis in (2, 3))
            return F.interpolate(self.cls(self.stem(x)), size=(h, w), mode="bilinear", align_corners=True)

    class Paths(Zoomed):
        def forward(self, x):
            x = self.cls(self.stem(x))
            return torch.sigmoid(x) if x.shape[2] == 13 else torch.tanh(x)

    class Half(Zoomed):
        def forward(self, x):
            x = self.stem(x)
            return self.cls(F.interpolate(x, size=(x.shape[2].__int__() + 3, 9)))

    class OneSize(Zoomed):
        def forward(self, x):
            assert x.shape[2:] == (97, 121)
            return super().forward(x)
    """


class Module(ExportTest):
    def setUp(self):
        super().setUp()
        self.file = self.folder / "own_network.py"
        self.file.write_text(textwrap.dedent(CODE))
        self.addCleanup(sys.modules.pop, "own_network", None)

    def made(self, call):
        namespace = {}
        exec(textwrap.dedent(CODE), namespace)
        torch.manual_seed(1)
        return eval(call, namespace).eval()

    def assert_computes(self, call, sizes=((97, 121), (73, 57))):
        weights = self.made(call)
        self.export_with(weights, call)
        for size in sizes:
            x = random_features(1, 3, *size)
            self.assert_same(self.serve(x), weights(x))

    def export_with(self, weights, call):
        checkpoint = self.save({"state_dict": {f"module.{k}": v for k, v in weights.state_dict().items()}})
        return self.export(checkpoint, "--module", f"{self.file}:{call}", "--example", "1,3,97,121")

    def test_size_of_the_input(self):
        self.assert_computes("Zoomed(8)")
        self.assertEqual(self.config()["output"], {"size": "input", "upsample": "align_corners"})

    def test_size_by_a_formula(self):
        self.assert_computes("Zoomed(4)")
        self.assertEqual(self.config()["output"], {"scale": 4, "trim": True, "upsample": "align_corners"})

    def test_one_size_only(self):
        printed = self.export_with(self.made("OneSize(8)"), "OneSize(8)")
        self.assertRegex(printed, r"note: Python looks at values or sizes at .*own_network.py:32, .*own_network.py:16")
        self.assertIn("are fixed, since the model follows the one trace of 97 x 121: a trace: ", printed)
        self.assertEqual(self.config()["output"]["size"], [97, 121])

    def test_paths(self):
        printed = self.export_with(self.made("Paths(8)"), "Paths(8)")
        self.assertIn("the one trace of 97 x 121: the code does something else for 129 x 185", printed)
        self.assertEqual(self.config()["output"], {"as": "sigmoid"})

    def test_other_weights(self):
        weights = self.made("Zoomed(8)").state_dict()
        del weights["cls.bias"]
        self.refuses("lacks cls.bias, which the module has", self.save(weights))
        self.refuses("cls.bias has the shape [6], the module's [5]", self.save({**weights, "cls.bias": torch.zeros(6)}))

    def test_weights_twice(self):
        """A student and its teacher: neither is taken unasked, and the report names what is left."""
        own = self.made("Zoomed(8)")
        twice = {f"{name}.{key}": values * factor for name, factor in (("student", 2), ("teacher", 1))
                 for key, values in own.state_dict().items()}
        checkpoint, call = self.save(twice), ("--module", f"{self.file}:Zoomed(8)", "--example", "1,3,97,121")
        self.refuses("found more than one set of the module's weights: at 'student.', 'teacher.'; choose one with "
                     "--prefix", checkpoint)
        printed = self.export(checkpoint, *call, "--prefix", "teacher.")
        self.assertIn("no place for 6 tensors", printed)
        self.assertIn("student.cls.bias", printed)
        x = random_features(1, 3, 97, 121)
        self.assert_same(self.serve(x), own(x))
        entries = {"model": own.state_dict(), "model_ema": own.state_dict()}
        self.assertIn("note: the entry 'model_ema' has the same tensors with other values: --entry model_ema",
                      self.export(self.save(entries), *call))

    def test_size_that_no_layer_has(self):
        self.refuses("a map is stretched to 16 for an input of 97 x 121 by 9", call="Half(8)")

    def test_code_that_raises(self):
        self.refuses("own_network.py:16: AssertionError", example="1,3,96,121")
        self.refuses("Zoomed is a type, expected a call that makes a module", call="Zoomed")
        self.refuses("NameError: name 'Other' is not defined", call="Other()")
        self.refuses("expected FILE.py:CALL", call="")
        del sys.modules["own_network"]
        self.file.write_text("import nothing_of_this_name\n")
        self.refuses("own_network.py:1: ModuleNotFoundError: No module named 'nothing_of_this_name'")

    def test_names_of_this_program(self):
        """A file or folder of the user's may be called like one of this program's."""
        (self.folder / "networks").mkdir()
        (self.folder / "networks" / "__init__.py").write_text("from .parts import *\n")
        (self.folder / "networks" / "parts.py").write_text(self.file.read_text())
        (self.folder / "export.py").write_text("from networks import Zoomed\n")
        for file in ("export.py", "networks/parts.py"):
            export.main([str(self.model), "--module", f"{self.folder}/{file}:Zoomed(8)", "--example", "1,3,97,121"])

    def test_names_of_python(self):
        """A file may be called like a module of Python's that is loaded already."""
        file = self.folder / "random.py"
        file.write_text(self.file.read_text())
        export.main([str(self.model), "--module", f"{file}:Zoomed(8)", "--example", "1,3,97,121"])
        import random
        self.assertFalse(hasattr(random, "Zoomed"))

    def test_package_that_is_hidden(self):
        (self.folder / "email").mkdir()
        (self.folder / "email" / "__init__.py").write_text("")
        (self.folder / "email" / "charset.py").write_text(self.file.read_text())
        with self.assertRaisesRegex(ExportError, "import email.charset finds .*: expected a package of another name"):
            import email.charset
            self.assertTrue(email.charset.__file__)
            export.main([str(self.model), "--module", f"{self.folder}/email/charset.py:Zoomed(8)", "--example",
                         "1,3,97,121"])

    def test_late_import(self):
        """Code that imports while it runs finds its own package, too."""
        (self.folder / "networks").mkdir()
        (self.folder / "networks" / "__init__.py").write_text("FACTOR = 3\n")
        (self.folder / "late_network.py").write_text(self.file.read_text() + textwrap.dedent("""
            class Late(Zoomed):
                def forward(self, x):
                    from networks import FACTOR
                    return super().forward(x) * FACTOR
            """))
        export.main([str(self.model), "--module", f"{self.folder}/late_network.py:Late(8)", "--example",
                     "1,3,97,121"])
        self.assertIn({"affine": {"scale": 3}}, self.config()["network"])

    def refuses(self, sentence, *checkpoint, call="Zoomed(8)", example="1,3,97,121"):
        with self.assertRaises(ExportError) as caught:
            export.main([*map(str, checkpoint), str(self.model), "--module", f"{self.file}:{call}", "--example",
                         example])
        self.assertIn(sentence, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))
        self.assertFalse(self.model.exists())
