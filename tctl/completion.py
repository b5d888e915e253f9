"""`tctl completion`: scripts that complete command lines in a shell, written out whole, so that completing runs no Python."""

from __future__ import annotations

from typing import Any

from tctl.command import command, group
from tctl.flags import Local

app = group("Print the completion script of a shell")
HEAD = "# Completes the command tctl. Written by `tctl completion {shell}`; do not edit.\n"
BASH = """_tctl() {{
    local at path="" words=""
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "$path ${{COMP_WORDS[at]}}" in
            {names}) path="$path ${{COMP_WORDS[at]}}" ;;
        esac
    done
    case "$path" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _tctl tctl
"""
ZSH = """#compdef tctl
_tctl() {{
    local at place="" found=""
    for ((at = 2; at < CURRENT; at++)); do
        case "$place ${{words[at]}}" in
            {names}) place="$place ${{words[at]}}" ;;
        esac
    done
    case "$place" in
{cases}
    esac
    compadd -- ${{=found}} || _files
}}
compdef _tctl tctl
"""
FISH = """function __tctl_words
    set -l path ""
    for word in (commandline -opc)[2..-1]
        switch "$path $word"
            case {names}
                set path "$path $word"
        end
    end
    switch "$path"
{cases}
    end
end
complete -c tctl -a "(__tctl_words)"
"""


def tree() -> dict[str, list[str]]:
    """Each path of names, the empty one first, and the words that can follow it."""
    from tctl.app import GROUPS, load

    found = {"": [*GROUPS, "--help", "--version"]}
    for name in GROUPS:
        _walk(f" {name}", load(name), found)
    return found


def _walk(path: str, command: Any, found: dict[str, list[str]]) -> None:
    commands = getattr(command, "commands", {})
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    flags = [flag for param in shown for flag in (*param.opts, *param.secondary_opts) if flag.startswith("--")]
    found[path] = [*commands, *flags, "--help"]
    for name, each in commands.items():
        _walk(f"{path} {name}", each, found)


def bash() -> str:
    """The script for bash."""
    return _script("bash", BASH, "|", '        "{path}") words="{words}" ;;')


def zsh() -> str:
    """The script for zsh, for a folder of its fpath."""
    head, _, rest = _script("zsh", ZSH, "|", '        "{path}") found="{words}" ;;').partition("#compdef tctl\n")
    return f"#compdef tctl\n{head}{rest}"


def fish() -> str:
    """The script for fish."""
    return _script("fish", FISH, " ", '        case "{path}"\n            string split " " -- "{words}"')


def _script(shell: str, form: str, between: str, case: str) -> str:
    places = tree()
    cases = [case.format(path=path, words=" ".join(words)) for path, words in places.items()]
    names = between.join(f'"{path}"' for path in places if path)
    return HEAD.format(shell=shell) + form.format(names=names, cases="\n".join(cases))


@command(app, "bash")
def print_bash(call: Local) -> None:
    """Print the script for bash."""
    call.printer.write(bash())


@command(app, "zsh")
def print_zsh(call: Local) -> None:
    """Print the script for zsh."""
    call.printer.write(zsh())


@command(app, "fish")
def print_fish(call: Local) -> None:
    """Print the script for fish."""
    call.printer.write(fish())
