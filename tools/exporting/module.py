"""The options for modules as code; script.py exports them."""


def add_options(parser):
    group = parser.add_argument_group("a module as code: TorchScript, or Python")
    group.add_argument("--module", metavar="FILE.py:CALL", help="trace the module that CALL makes, such as "
                       "pspnet.py:PSPNet(21). This runs FILE.py. CHECKPOINT, which may be left out, has its weights")
    group.add_argument("--example", metavar="N,C,H,W", type=shape, action="append", default=[],
                       help="the shape of an input that the module takes; once for each input")
    group.add_argument("--output", metavar="N", help="which result of a module that has several: its number from 0, "
                       "or its name in a dictionary")


def shape(text):
    values = tuple(int(part) for part in text.split(","))
    if len(values) != 4 or not all(0 < n <= 1 << 16 for n in values):
        raise ValueError
    return values


def check(parser, options):
    """Checks that argparse cannot make."""
    if not options.module and not options.checkpoints:
        parser.error("the following arguments are required: CHECKPOINT")
    if options.module and not options.example:
        parser.error("--module: expected --example N,C,H,W, the shape of its input, such as 1,3,473,473")
    if options.module and options.list:
        parser.error("--list: cannot be combined with --module")
