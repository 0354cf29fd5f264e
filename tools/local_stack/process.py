"""Detached processes which a later run can find again, and never mistakes for another."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.local_stack.errors import PartEndedError, StackError

PROC = Path("/proc")
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Process:
    """A started process: its id, and when it was born, as the system counts."""

    pid: int
    birth: str

    def is_alive(self) -> bool:
        """Whether this very process still runs; a successor under the same id does not count."""
        return birth_of(self.pid) == self.birth

    def kill(self, number: int) -> None:
        """The process has the signal, unless it is gone."""
        if not self.is_alive():
            return
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return


def birth_of(pid: int) -> str | None:
    """When the process was born; None when it is gone or only waits to be reaped."""
    _reap(pid)
    if PROC.joinpath("self/stat").exists():
        return _birth_from_proc(pid)
    answer = subprocess.run(
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return started.strip() if state and not state.startswith("Z") else None


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _birth_from_proc(pid: int) -> str | None:
    try:
        stat = PROC.joinpath(str(pid), "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name is in parentheses and may itself hold spaces and parentheses.
    fields = stat[stat.rindex(")") + 2 :].split()
    boot = PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def read(pid_file: Path) -> Process | None:
    """The process a pid file names, if that very process is alive."""
    try:
        pid, birth = pid_file.read_text().split(maxsplit=1)
    except (FileNotFoundError, ValueError):
        return None
    process = Process(pid=int(pid), birth=birth.strip())
    return process if process.is_alive() else None


def spawn(
    command: Sequence[str | Path],
    *,
    pid_file: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Process:
    """A process of its own session runs, writes to the log, and is named by the pid file."""
    for path in (pid_file, log):
        path.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=directory,
            start_new_session=True,
        )
    # Whoever looks for it does so by the pid file: this object must not complain
    # that the process outlives it.
    child.returncode = 0
    process = Process(pid=child.pid, birth=birth_of(child.pid) or "gone")
    pid_file.write_text(f"{process.pid} {process.birth}\n")
    return process


def keep_running(
    pid_file: Path,
    *,
    spawn: Callable[[], Process],
    is_ready: Callable[[], bool],
    part: str,
    log: Path,
    seconds: float,
) -> Process:
    """The part is ready: the process the pid file names when it is, otherwise a new one."""
    running = read(pid_file)
    if running:
        try:
            _wait_until(is_ready, process=running, part=part, log=log, seconds=seconds)
        except PartEndedError:
            # It was dying when it was found.
            running = None
        except StackError:
            stop(running)
            running = None
    if running is None:
        running = spawn()
        _wait_until(is_ready, process=running, part=part, log=log, seconds=seconds)
    return running


def _wait_until(
    is_ready: Callable[[], bool], *, process: Process, part: str, log: Path, seconds: float
) -> None:
    """The part is ready; otherwise the error shows where its log is."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        if not process.is_alive():
            message = f"{part} ended while starting ({last_line(log)}): see {log}."
            raise PartEndedError(message)
        if time.monotonic() > deadline:
            message = f"{part} was not ready after {seconds:g} seconds: see {log}."
            raise StackError(message)
        time.sleep(POLL_SECONDS)


def stop(process: Process, *, number: int = signal.SIGTERM, seconds: float = 10) -> None:
    """The process is gone: asked first, killed when it does not listen."""
    process.kill(number)
    if not _is_gone(process, seconds):
        process.kill(signal.SIGKILL)
        _is_gone(process, seconds)


def _is_gone(process: Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process.is_alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def session_of(pid_file: Path, *, below: Path) -> list[Process]:
    """What the process of the pid file started, and left running below the folder.

    A session's number is not given away while anybody is in it; the folder rules out a
    session that took the number later.
    """
    try:
        leader = pid_file.read_text().split()[0]
    except (FileNotFoundError, IndexError):
        return []
    found = []
    for folder in PROC.glob("[0-9]*"):
        try:
            stat = folder.joinpath("stat").read_text()
            directory = folder.joinpath("cwd").readlink()
        except OSError:
            continue
        birth = birth_of(int(folder.name))
        session = stat[stat.rindex(")") + 2 :].split()[3]
        if session == leader and directory.is_relative_to(below) and birth:
            found.append(Process(pid=int(folder.name), birth=birth))
    return found


def last_line(log: Path) -> str:
    """What the log ends with."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:300] if lines else "it wrote nothing"
