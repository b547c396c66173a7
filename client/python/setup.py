"""The build step that pyproject.toml cannot say: the protocol's description."""
import pathlib
import sys

from setuptools import setup

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import make_proto  # noqa: E402

make_proto.make()
setup()
