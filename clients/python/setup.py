"""A wheel for any Python 3 on one kind of machine: it holds shared libraries, but no extension module."""
import setuptools
from wheel.bdist_wheel import bdist_wheel


class LibraryDistribution(setuptools.Distribution):
    def has_ext_modules(self):
        return True


class LibraryWheel(bdist_wheel):
    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


setuptools.setup(distclass=LibraryDistribution, cmdclass={"bdist_wheel": LibraryWheel})
