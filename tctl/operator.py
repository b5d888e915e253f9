"""`tctl operator`: namespaces, search attributes and the cluster."""

from __future__ import annotations

from tctl import operator_cluster, operator_namespace, operator_search_attribute
from tctl.command import group

app = group("Manage namespaces, search attributes and the cluster")
app.add_typer(operator_cluster.app, name="cluster")
app.add_typer(operator_namespace.app, name="namespace")
app.add_typer(operator_search_attribute.app, name="search-attribute")
