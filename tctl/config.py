"""`tctl config`: looks at configuration files before a server does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tctl.command import CommandError, command, group
from tctl.flags import Local

app = group("Check configuration files")


@command(app, "check")
def check(
    call: Local,
    file: Annotated[Path, typer.Argument(help="A dynamic configuration file, as the official server reads it.")],
) -> None:
    """Check a dynamic configuration file

    Says which keys this server does not use, and fails where a value or a constraint is wrong."""
    from server import dynamic_config
    from server.settings import SettingsError, dynamic_config_file

    try:
        content = dynamic_config_file(file)
    except SettingsError as error:
        raise CommandError(str(error)) from None
    findings = dynamic_config.check(content)
    call.printer.data([finding._asdict() for finding in findings])
    for finding in findings:
        call.printer.line(f"{finding.key}: {finding.says}\n", "red" if finding.wrong else "yellow")
    wrong = sum(finding.wrong for finding in findings)
    if wrong:
        raise CommandError(f"{wrong} of the entries in {file} cannot be used")
    call.printer.line(f"{file}: {len(content)} keys, nothing is wrong\n")
