"""Run a program that refuses root: `python -I ordinary_user.py HOME PROGRAM [ARGUMENT]...`.

As root the program gets a user namespace, where root is called `nobody`: it owns the same
files, and nothing on the system changes. Where namespaces are switched off, HOME is given to
the system's user `nobody`, who runs the program.
"""

import os
import sys
from pathlib import Path

NOBODY = 65534


def main(home: str, command: list[str]) -> None:
    """The program has replaced this one."""
    if os.geteuid() == 0:
        try:
            _become_nobody_in_namespace()
        except OSError:
            _become_nobody(Path(home), program=command[0])
    os.execv(command[0], command)  # noqa: S606  # the caller's own program, no shell wanted


def _become_nobody_in_namespace() -> None:
    group = os.getegid()
    os.unshare(os.CLONE_NEWUSER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} 0 1"),
        ("gid_map", f"{NOBODY} {group} 1"),
    ):
        Path("/proc/self", name).write_text(text)


def _become_nobody(home: Path, *, program: str) -> None:
    for path in [home, *home.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    if not os.access(home, os.W_OK | os.X_OK) or not os.access(program, os.X_OK):
        sys.exit(
            f"Postgres refuses root, user namespaces are off, and user nobody cannot reach {home} "
            f"and {program}: run as an ordinary user, or keep both in folders open to all."
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
