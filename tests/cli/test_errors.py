"""Every failure is one sentence on stderr and the exit code 1, never a traceback."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import free_port, official, tctl

START = ("workflow", "start", "--type", "T", "-t", "q", "-w", "w")
WRONG = [
    (),
    ("nonsense",),
    ("workflow",),
    ("workflow", "nonsense"),
    ("operator", "nonsense"),
    ("operator", "namespace", "nonsense"),
    ("workflow", "list", "--nonsense"),
    ("workflow", "list", "--limit", "many"),
    ("workflow", "list", "-o", "xml"),
    ("workflow", "list", "extra"),
    ("workflow", "list", "--query"),
    ("workflow", "describe"),
    ("workflow", "start", "--type", "T"),
    (*START, "--run-timeout", "soon"),
    (*START, "--run-timeout", "1"),
    (*START, "--id-reuse-policy", "Sometimes"),
    (*START, "-i", "{bad"),
    (*START, "-i", "NaN"),
    (*START, "-i", "1", "--input-file", "x"),
    (*START, "--input-file", "/no/such/file"),
    (*START, "--input-base64", "-i", "%%%"),
    (*START, "--input-meta", "novalue"),
    (*START, "-i", "1", "--input-meta", "a=1", "--input-meta", "a=2"),
    (*START, "--memo", "novalue"),
    (*START, "--memo", "a=b"),
    (*START, "--search-attribute", "a={"),
    (*START, "--headers", "a"),
    ("workflow", "show", "-w", "w", "--follow", "--reverse"),
    ("workflow", "signal", "--name", "s"),
    ("workflow", "cancel", "-w", "w", "-q", "x"),
    ("workflow", "cancel", "-w", "w", "--reason", "x"),
    ("workflow", "cancel", "-w", "w", "--yes"),
    ("workflow", "cancel", "-w", "w", "--rps", "2"),
    ("workflow", "cancel", "-q", "x", "-r", "r"),
    ("workflow", "query", "-w", "w", "--name", "q", "--reject-condition", "never"),
    ("workflow", "list", "--grpc-meta", "novalue"),
    ("workflow", "list", "--config-file", "/no/such/file"),
    ("workflow", "list", "--profile", "nobody"),
    ("workflow", "list", "--tls-ca-path", "/no/such/file"),
    ("workflow", "list", "--tls-cert-data", "x"),
    ("workflow", "list", "--tls", "--tls-disable-host-verification"),
    ("operator", "search-attribute", "create", "--name", "A", "--type", "Colour"),
    ("operator", "search-attribute", "create", "--name", "A"),
    ("task-queue", "describe", "-t", "q", "--task-queue-type", "tea"),
    ("server", "start", "--store", "nonsense"),
    ("server", "start", "--config", "/no/such/file"),
    ("server", "start", "--role", "chef"),
    ("server", "start-dev", "--dynamic-config-value", "a"),
    ("server", "start-dev", "--dynamic-config-value", "a=b"),
    ("server", "start-dev", "--search-attribute", "a=Colour"),
    ("server", "start-dev", "--sqlite-pragma", "a"),
    ("server", "start-dev", "--port", "70000"),
    ("schema", "version", "--store", "nonsense"),
    ("schema", "version", "--store", "nonsense://x"),
    ("schema", "version", "--store", "sqlite:////no/such/folder/x.db"),
    ("schema", "update"),
    ("completion", "tcsh"),
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_command_lines(words: tuple[str, ...]) -> None:
    done = tctl(*words)
    assert done.code == 1
    assert done.err.startswith("Error: ")
    assert done.err.count("\n") == 1, done.err
    assert "Traceback" not in done.err
    assert "connect" not in done.err, "the mistake is told before a server is needed"


SENTENCES = [
    (*START, "-i", "{bad"),
    (*START, "-i", "1", "--input-file", "x"),
    (*START, "--input-meta", "novalue"),
    (*START, "-i", "1", "--input-meta", "a=1", "--input-meta", "a=2"),
    (*START, "--memo", "novalue"),
    ("workflow", "describe", "-w", "nobody"),
    ("workflow", "show", "-w", "nobody", "-o", "json"),
    ("workflow", "result", "-w", "nobody"),
    ("workflow", "signal", "-w", "nobody", "--name", "s"),
    ("workflow", "cancel", "-w", "nobody"),
    ("workflow", "terminate", "-w", "nobody"),
    ("workflow", "delete", "-w", "nobody", "--yes"),
    ("workflow", "delete", "-w", "nobody", "-o", "json"),
    ("workflow", "describe", "-w", "nobody", "-r", "nonsense"),
    ("workflow", "list", "-q", "Nonsense = 1"),
    ("workflow", "list", "-q", "a b c"),
    ("workflow", "count", "-q", "a b c"),
    ("workflow", "list", "-n", "nowhere"),
    ("workflow", "describe", "-w", "w", "-n", "nowhere"),
    ("workflow", "signal", "--name", "s"),
    ("workflow", "cancel", "-w", "w", "-q", "x"),
    ("workflow", "cancel", "-w", "w", "--reason", "x"),
    ("workflow", "cancel", "-w", "w", "--yes"),
    ("workflow", "cancel", "-w", "w", "--rps", "2"),
    ("workflow", "show", "-w", "w", "--follow", "--reverse"),
    ("operator", "namespace", "describe", "-n", "nowhere"),
    ("operator", "namespace", "describe", "nowhere"),
    ("operator", "namespace", "describe", "nowhere", "-n", "elsewhere"),
    ("operator", "namespace", "create", "-n", "default"),
    ("operator", "namespace", "update", "-n", "nowhere", "--email", "x"),
    ("operator", "namespace", "update", "--promote-global", "--active-cluster", "x"),
    ("operator", "namespace", "delete", "-n", "nowhere", "--yes"),
    ("operator", "search-attribute", "create", "--name", "WorkflowId", "--type", "Keyword"),
    ("server", "start-dev", "--sqlite-pragma", "a"),
    ("server", "start-dev", "--search-attribute", "a=Colour"),
]


@pytest.mark.parametrize("words", SENTENCES, ids=" ".join)
def test_same_sentence_as_the_official_one(
    address: str, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    ours, theirs = tctl(*words), official(*words)
    assert ours.code == theirs.code == 1
    assert ours.err.strip() == theirs.err.strip()


def test_no_server() -> None:
    port = free_port()
    done = tctl("workflow", "list", "--address", f"localhost:{port}")
    assert done.code == 1
    assert done.err == f"Error: failed connecting to Temporal server at localhost:{port}: connection refused\n"


def test_no_such_host() -> None:
    done = tctl("workflow", "list", "--address", "no-such-host.invalid:7233")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "no-such-host.invalid:7233" in done.err


def test_time_for_the_command(address: str) -> None:
    on = ("--address", address, "-w", "slow")
    assert tctl("workflow", "start", *on, "--type", "T", "-t", "nobody").code == 0
    done = tctl("workflow", "result", *on, "--command-timeout", "300ms")
    assert (done.code, done.err) == (1, "Error: failed getting close event: command timed out\n")


def test_an_output_that_nobody_reads(address: str) -> None:
    command = [sys.executable, "-m", "tctl", "operator", "search-attribute", "list", "--address", address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 0


def test_bad_words_never_break_json(address: str) -> None:
    done = tctl("workflow", "list", "-q", "WorkflowId = 'none'", "-o", "json", "--address", address)
    assert json.loads(done.out) == []


def test_interrupt(address: str) -> None:
    on = ("--address", address, "-w", "endless")
    assert tctl("workflow", "start", *on, "--type", "T", "-t", "nobody").code == 0
    command = [sys.executable, "-m", "tctl", "workflow", "show", "--follow", *on]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout and process.stderr
    while "WorkflowTaskScheduled" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == "Error: program interrupted\n"
    assert process.returncode == 1
