"""The Engine: the face of history to frontend and matching, one object for all shards of the process."""

from __future__ import annotations

from server.history.options import Options
from server.history.resets import Resets
from server.history.standalone_nexus import StandaloneOperations
from server.history.updates import Updates
from server.history.workers import Workers
from server.history.workflows import Workflows


class Engine(Workflows, Updates, Resets, Options, Workers, StandaloneOperations):
    """`start` it in the event loop, `close` it when nothing asks any more. Implements server.faces.History."""
