"""The command `tctl`. It runs apart from the directory it is called in: no module of the user's takes the place of ours."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)


class Ours:
    """Finds our packages where this file is, before the search path is asked."""

    @staticmethod
    def find_spec(name: str, *_: object) -> ModuleSpec | None:
        """The spec of `server` and `drivers`; None for every other module."""
        return importlib.machinery.PathFinder.find_spec(name, [ROOT]) if name in ("server", "drivers") else None


def isolate() -> None:
    """Takes the working directory off the search path, unless we live there, and finds our own packages beside this file.

    `python -m tctl` puts it there, and so does a PYTHONPATH with an empty part or a dot.
    """
    here = os.path.realpath(os.curdir)
    if here != ROOT:
        sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != here]
    sys.meta_path.insert(0, Ours)


def main() -> int:
    """Runs the command line and returns the exit code."""
    isolate()
    from tctl.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
