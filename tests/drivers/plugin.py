"""Installs the example driver as anybody would, with pip, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLUGIN = Path(__file__).with_name("example_plugin")


def install(target: Path) -> str:
    """Installs it in the folder; returns the PYTHONPATH of a process that has it."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", str(target), str(PLUGIN)], check=True)
    return os.pathsep.join([str(target), *sys.path])
