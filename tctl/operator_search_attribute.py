"""`tctl operator search-attribute`: the search attributes of a namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from tctl.command import CommandError, command, group, quoted
from tctl.flags import Call, one_of, option

if TYPE_CHECKING:
    from temporalio.api.operatorservice.v1 import ListSearchAttributesResponse

app = group("Manage search attributes")
TYPES = ("Text", "Keyword", "Int", "Double", "Bool", "Datetime", "KeywordList")
Names = Annotated[list[str], option("--name", help="Name of a search attribute; may be repeated.")]


@command(app, "list")
def list_(call: Call) -> None:
    """List the search attributes."""
    from temporalio.api.enums.v1 import IndexedValueType

    from tctl.render import enum_text

    found = _known(call, "unable to list search attributes")
    call.printer.data(found)
    rows = [
        (name, enum_text(IndexedValueType, kinds[name]))
        for kinds in (found.system_attributes, found.custom_attributes)
        for name in sorted(kinds)
    ]
    call.printer.table(("Name", "Type"), rows)


@command(app, "create")
def create(
    call: Call,
    *,
    name: Names,
    kind: Annotated[
        list[str],
        option(
            "--type", parser=one_of(*TYPES), metavar="TYPE", help=f"Its type: {', '.join(TYPES)}; one for each name."
        ),
    ],
) -> None:
    """Add search attributes."""
    from temporalio.api.enums.v1 import IndexedValueType
    from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest

    from tctl.render import enum_text

    if len(name) != len(kind):
        raise CommandError("there must be as many --type flags as --name flags")
    words = {"KeywordList": "KEYWORD_LIST"}
    wanted = {
        each: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{words.get(word, word.upper())}")
        for each, word in zip(name, kind, strict=True)
    }
    known = _known(call, "unable to get existing search attributes").custom_attributes
    for each, number in wanted.items():
        if each in known and known[each] != number:
            text = enum_text(IndexedValueType, known[each])
            raise CommandError(f"search attribute {each} already exists and has different type {text}")
    request = AddSearchAttributesRequest(namespace=call.client.namespace, search_attributes=wanted)
    call.client.ask(call.client.operator.AddSearchAttributes, request, "unable to add search attributes")
    call.printer.line("Search attributes have been added", "green")


@command(app, "remove")
def remove(call: Call, *, name: Names, yes: Annotated[bool, option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove search attributes."""
    from temporalio.api.operatorservice.v1 import RemoveSearchAttributesRequest

    names = " ".join(map(quoted, name))
    if not call.confirm(f"You are about to remove search attribute [{names}]? y/N", ("yes", "y"), yes):
        raise CommandError("user denied confirmation, operation aborted")
    request = RemoveSearchAttributesRequest(namespace=call.client.namespace, search_attributes=name)
    call.client.ask(call.client.operator.RemoveSearchAttributes, request, "unable to remove search attributes")
    call.printer.line("Search attributes have been removed", "green")


def _known(call: Call, failing: str) -> ListSearchAttributesResponse:
    from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest

    request = ListSearchAttributesRequest(namespace=call.client.namespace)
    return call.client.ask(call.client.operator.ListSearchAttributes, request, failing)
