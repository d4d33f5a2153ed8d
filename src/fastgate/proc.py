"""Processes as Linux sees them: dying with a parent, limits, and what /proc tells of others.

Imports nothing of fastgate, so that each process can call it before anything else. As a program,
`python -m fastgate.proc COMMAND …` becomes COMMAND, tied to the life of whoever started it.
"""

from __future__ import annotations

import ctypes
import math
import multiprocessing
import os
import resource
import signal
import sys
from pathlib import Path

PARENT_ENV = "FASTGATE_PARENT_PID"
"""The supervisor's pid, set for its direct children: the only way to tell that it died before the child asked."""

WORKER_NAME = "worker:"
"""How a worker's name in `ps` and /proc begins; its event loop follows."""

NAME_BYTES = 15
"""What Linux keeps of a process's name."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""mallopt(3)."""

KEPT_BLOCK_BYTES = 4 * 1024 * 1024
"""Larger blocks come from the system and go back to it. A conversation of a million tokens has about four megabytes."""

KEPT_FREE_BYTES = 8 * 1024 * 1024
"""As much of what was freed is kept at the end of each of the process's heaps (one a thread that allocates)."""

PR_SET_NAME = 15
"""prctl(2): the name of this thread, and of the process when it is the main one."""

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal this process gets when the thread that started it ends."""


def die_with_parent(parent_pid: int | None = None, sig: int = signal.SIGKILL) -> None:
    """Has the kernel end this process when its parent ends, `kill -9` included; exits at once if that has happened.

    Call it first thing, in the process itself: nothing needs to run between fork and exec. Without `parent_pid` the
    pid that the supervisor left in the environment is used; without either, whoever is the parent now.
    Sudden death is safe here: the flight table and the journal hold all that a next start needs.
    """
    told = int(os.environ.pop(PARENT_ENV, "0"))  # taken out: a grandchild must not compare its parent with it
    expected = parent_pid if parent_pid is not None else told
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if expected and os.getppid() != expected:
        os._exit(1)


def take_limits() -> tuple[int, int]:
    """Raises the soft limit of open files to the hard one and turns core dumps off: a core holds customers' prompts
    and keys. Inherited by children. Returns the file limit as (soft, hard)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return hard, hard


def usable_cpus() -> int:
    """The cores this process may use: its affinity, and the CPU quota of its control group where one is set."""
    cores = len(os.sched_getaffinity(0))
    quota = _cgroup_cpus()
    return max(1, min(cores, math.ceil(quota))) if quota else max(1, cores)


def _cgroup_cpus() -> float:
    """CPU quota in cores, 0 where there is none. Reads version 2, then version 1 (as a container sees them)."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            base = Path("/sys/fs/cgroup/cpu")
            quota = (base / "cpu.cfs_quota_us").read_text().strip()
            period = (base / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return 0.0
    if quota in ("max", "-1"):
        return 0.0
    return int(quota) / int(period)


def is_alive(pid: int) -> bool:
    """Whether `pid` names a running process (a zombie counts as dead)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in ("Z", "X")


def children_of(pid: int) -> list[int]:
    """The direct children of `pid`, oldest first; empty when it is gone."""
    found: list[int] = []
    try:
        for task in sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda p: int(p.name)):
            found += [int(child) for child in (task / "children").read_text().split()]
    except (OSError, ValueError):
        return found
    return found


def keep_freed_memory() -> None:
    """Have the C library keep a large block that is freed for the next of its kind. Left alone it may give each long
    body back to the system, and the next is 180 pages that the kernel clears one by one: 100 us for 730 KB."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES)


def become_worker(loop: object) -> None:
    """First thing in each data-plane worker: dies with Granian's main process, and takes a name that says which event
    loop runs it, so that others can tell (`event_loop_of`)."""
    parent = multiprocessing.parent_process()
    die_with_parent(parent.pid if parent is not None else None)
    keep_freed_memory()
    name = f"{WORKER_NAME}{loop_name(loop)}".encode()[:NAME_BYTES]
    ctypes.CDLL(None).prctl(PR_SET_NAME, ctypes.create_string_buffer(name), 0, 0, 0)


def loop_name(loop: object) -> str:
    """uvloop, or asyncio for the standard library's."""
    return type(loop).__module__.partition(".")[0]


def event_loop_of(pid: int) -> str:
    """The event loop that worker `pid` runs on, as it named itself; empty when it is gone or no worker."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    except OSError:
        return ""
    return name.removeprefix(WORKER_NAME) if name.startswith(WORKER_NAME) else ""


def listener_of(port: int) -> str:
    """Who listens on TCP `port` of this machine, as "name (pid N)", as far as /proc shows it; empty if unknown."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            field = row.split()
            if field[3] == "0A" and int(field[1].rpartition(":")[2], 16) == port:  # 0A is LISTEN
                inodes.add(f"socket:[{field[9]}]")
    if not inodes:
        return ""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if any(os.readlink(fd) in inodes for fd in (entry / "fd").iterdir()):
                return f"{(entry / 'comm').read_text().strip()} (pid {entry.name})"
        except OSError:
            continue
    return ""


def main() -> None:
    die_with_parent()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the supervisor's own argument list


if __name__ == "__main__":
    main()
