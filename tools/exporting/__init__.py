"""The parts of tools/export.py: its command line (options.py), what a checkpoint becomes (model.py), the files that are
written (files.py) and the report of it (report.py)."""
