"""`tctl workflow`: starts, shows and changes workflow executions."""

from __future__ import annotations

from tctl import workflow_change, workflow_start, workflow_view
from tctl.command import group

app = group("Start, look at and change workflow executions")
for commands in (workflow_start, workflow_view, workflow_change):
    commands.add_to(app)
