"""The program `medaccord` on PATH, each command a fork of a process that has loaded its libraries.

A page has dozens of commands, and most of the time of each goes into loading what it is made of.
Here that is done once. Each command is a process of its own all the same, by the program's own
entry, with the arguments, environment, folder, files and exit code that a shell gives it.

This file is both: `serve` waits for commands, and `ask` hands one over and ends as it ended. It
imports little, since `ask` is started for each command.
"""

from __future__ import annotations

import json
import os
import socket
import sys

_MOST = 1 << 20
_STANDARD = (0, 1, 2)


def ask(path: str, arguments: list[str]) -> int:
    """Have a command run; its exit code."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        asked = {"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}
        socket.send_fds(line, [json.dumps(asked).encode()], _STANDARD)
        return int(line.recv(_MOST) or 1) & 0xFF


def serve(path: str) -> None:
    """Wait for commands until this process is ended; say so when it waits."""
    _load()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            line, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _answer(line)
            line.close()
            while _reaped():
                pass


def _load() -> None:
    """Import what no folder and no setting of a person makes another."""
    import alembic  # noqa: F401  # it is loaded for the commands
    import eth_account  # noqa: F401  # likewise
    import httpx  # noqa: F401  # likewise
    import rich.progress  # noqa: F401  # likewise
    import sqlalchemy.dialects.sqlite  # noqa: F401  # likewise
    import typer  # noqa: F401  # likewise

    import medaccord.chain.embedded
    import medaccord.fhir
    import medaccord.gatekeeper.server  # noqa: F401  # likewise

    # It looks for the home folder when it is imported, which is to be that of the command.
    assert "medaccord.settings" not in sys.modules


def _answer(line: socket.socket) -> None:
    """Run one command in a child, and tell its exit code."""
    data, files, _, _ = socket.recv_fds(line, _MOST, len(_STANDARD))
    asked = json.loads(data)
    child = os.fork()
    if child == 0:
        line.close()
        for file, standard in zip(files, _STANDARD, strict=True):
            os.dup2(file, standard)
            os.close(file)
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        sys.argv = ["medaccord", *asked["arguments"]]
        from medaccord.cli import main

        main()
    for file in files:
        os.close(file)
    _, status = os.waitpid(child, 0)
    line.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _reaped() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(ask(sys.argv[2], sys.argv[3:]))
