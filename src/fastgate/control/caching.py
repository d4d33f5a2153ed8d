"""The cache as operators see it: what it did, from the usage table; what it holds, from the store; and purges.

Opens the store that the configuration names only when asked. Knows no call under way.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from fastgate._core.money import format_usd
from fastgate.caching.purge import Purge
from fastgate.caching.semantic.folder import GRAPHS, clear
from fastgate.caching.semantic.model_folder import ModelError
from fastgate.caching.semantic.settings import compiled
from fastgate.clock import wall_ns
from fastgate.control.cache_sessions import sessions
from fastgate.control.cache_share import ANSWERED
from fastgate.control.errors import OperationError, moment
from fastgate.control.shapes_cache import CacheRow, CacheSessions, CacheStats, CacheStore, NewPurge, Purged
from fastgate.journal.view import ratio
from fastgate.log import Log
from fastgate.stores.ports import Change
from fastgate.times import NS, rfc3339

if TYPE_CHECKING:
    from pathlib import Path

    from fastgate.caching.disk import Disk
    from fastgate.caching.entry import Head
    from fastgate.caching.semantic.log_disk import DiskLog
    from fastgate.caching.semantic.note import Row
    from fastgate.caching.semantic.replay import Reader
    from fastgate.caching.settings import CacheSettings
    from fastgate.control.usage import UsageTable
    from fastgate.control.usage_queries import SpendRow
    from fastgate.state import StateDir

KINDS = ("hit", "hit-inflight", "hit-semantic", "miss", "refresh", "bypass")

BY = ("org", "team", "namespace")

SESSIONS_MAX = 1000
"""Sessions of one answer; a team has some hundred a day."""

DAY_NS = 24 * 3600 * NS

log = Log("cache")

Group = tuple[str, ...]


class Store(Protocol):
    """What a shared tier offers to commands."""

    def heads(self) -> Iterator[tuple[bytes, Head, int]]: ...
    def facts(self) -> dict[str, int]: ...
    def purge(self, sentence: Purge) -> int: ...


class Caching:
    """Questions to the cache of one state directory."""

    def __init__(
        self,
        state: StateDir,
        table: UsageTable,
        settings: Callable[[], CacheSettings | None],
        audit: Callable[[Change, str], None],
    ) -> None:
        """`audit` takes each change and who made it into the log of changes."""
        self._audit = audit
        self._state = state
        self._table = table
        self._settings = settings
        self._disk: Disk | None = None
        self._log: DiskLog | None = None
        self._saving = threading.Lock()
        self._purges = 0
        """Changes with each; graphs that are being saved meanwhile are given up."""
        self._using = threading.Lock()
        """Held around every use of the files: what other processes have made larger is mapped anew under no reader."""

    def close(self) -> None:
        """Waits for a thread that saves graphs, which is told to stop before."""
        with self._saving:
            if self._log is not None:
                self._log.close()
                self._log = None
        if self._disk is not None:
            self._disk.close()
            self._disk = None

    def stats(self) -> CacheStats:
        """Sums since the usage table began, busiest first."""
        settings = self._settings()
        sums: dict[Group, dict[str, SpendRow]] = defaultdict(dict)
        for row in self._table.spend([*BY, "cache"]):
            sums[tuple(row.group[name] for name in BY)][row.group["cache"]] = row
        held: dict[Group, list[int]] = defaultdict(list)
        store = None
        asked: dict[Group, Asked] = defaultdict(Asked)
        if settings is not None:
            with self._open(settings) as opened:
                for _, head, size in opened.heads():
                    held[head.org, head.team, head.namespace].append(size)
                kind = "embedded" if settings.store.reveal() == "embedded" else "redis"
                store = CacheStore(kind=kind, **opened.facts())
                for _, told in opened.rows():
                    asked[told.org, told.team, told.namespace].count(told)
        groups = sorted({*sums, *held, *asked})
        rows = [row_of(group, sums[group], held[group], asked[group]) for group in groups]
        return CacheStats(items=sorted(rows, key=lambda row: -row.calls), store=store)

    def sessions(self, since: str | None, limit: int) -> CacheSessions:
        """Of the last day where `since` is None."""
        if not 1 <= limit <= SESSIONS_MAX:
            raise OperationError("invalid", f"limit: {limit} is not between 1 and {SESSIONS_MAX}.")
        since_ns = wall_ns() - DAY_NS if since is None else moment("since", since)
        return CacheSessions(items=sessions(self._table.engine, since_ns, limit))

    def purge(self, new: NewPurge, actor: str) -> Purged:
        """Said to all workers first, then carried out in the store, then in the graphs that are saved."""
        settings = self._settings()
        if settings is None:
            raise OperationError("conflict", "this gateway has no cache: the configuration has no `cache:`.")
        named = {name: getattr(new, name) for name in ("org", "team", "user", "key", "namespace", "model")}
        if not any(named.values()) and new.before is None and not new.all:
            raise OperationError("invalid", "say what to forget: a key, team, namespace, model, age ... or all.")
        before_ns = wall_ns() if new.before is None else moment("before", new.before)
        with self._open(settings) as opened:
            purge = Purge(before_ns=before_ns, **named)
            entries, questions = opened.purge(purge), opened.drop(purge.matches)
        chosen = {name: value for name, value in named.items() if value}
        done = {**chosen, "before": rfc3339(before_ns), "entries": entries}
        self._audit(Change("purge", "cache", "answers", None, done), actor)
        log.info("answers are forgotten", entries=entries, before=rfc3339(before_ns), actor=actor, **chosen)
        self._clear_graphs()
        return Purged(entries=entries, questions=questions, before=rfc3339(before_ns))

    def _clear_graphs(self) -> None:
        """After any purge: they hold the questions of rows that have long left the log, too."""
        self._purges += 1
        try:
            with self._saving:
                clear(self._graphs)
        except OSError as error:
            told = f"what was forgotten is still in {self._graphs}, which cannot be cleared: {error}. Say it again."
            raise OperationError("unusable", told) from None

    @property
    def _graphs(self) -> Path:
        return self._state.cache_dir / "semantic" / GRAPHS

    def save_graphs(self, stopping: Callable[[], bool]) -> bool:
        """Save the graphs of remembered questions where their log has grown by enough, so that workers start with them;
        whether it was done. Takes seconds. Raises OSError, or what the index says."""
        settings = self._settings()
        policy = compiled(settings.semantic) if settings is not None and settings.exact.enabled else None
        if settings is None or policy is None or policy.store.kind != "local":
            return False
        import lmdb

        from fastgate.caching.semantic.build import notes_of
        from fastgate.caching.semantic.graphs import Graphs
        from fastgate.caching.semantic.replay import save_where_due

        try:
            with self._saving, self._reading(settings) as reader:
                purges, graphs = self._purges, Graphs(self._graphs)

                def given_up() -> bool:
                    return stopping() or self._purges != purges

                return reader is not None and save_where_due(reader, notes_of(policy), graphs, given_up)
        except (lmdb.Error, ModelError) as error:
            raise OSError(f"remembered questions cannot be read: {error}") from None

    @contextmanager
    def _reading(self, settings: CacheSettings) -> Iterator[Reader | None]:
        """The log of questions, for a thread that reads all of it; None where there is none."""
        address = settings.store.reveal()
        if address == "embedded":
            with self._using:
                log = self._questions(settings)
            yield log
            return
        from fastgate.caching.resp import BlockingRedis, RedisUrl
        from fastgate.caching.semantic.log_redis import RedisReader

        with closing(BlockingRedis(RedisUrl(address))) as connection:
            yield RedisReader(connection)

    def _open(self, settings: CacheSettings) -> AbstractContextManager[Opened]:
        address = settings.store.reveal()
        return self._embedded(settings) if address == "embedded" else redis(address)

    @contextmanager
    def _embedded(self, settings: CacheSettings) -> Iterator[Opened]:
        """The files, with the sizes that the configuration names now."""
        import lmdb

        with self._using:
            try:
                yield Opened(self._answers(settings), self._questions(settings))
            except (lmdb.Error, OSError) as error:
                raise OperationError("unusable", f"the cache's files cannot be used: {error}.") from None

    def _answers(self, settings: CacheSettings) -> Disk:
        from fastgate.caching.disk import Disk

        if self._disk is not None and self._disk.moved():
            self._disk.close()
            self._disk = None
        if self._disk is None:
            self._disk = Disk(self._state.cache_dir, settings.disk_bytes)
        elif self._disk.limit != settings.disk_bytes:
            self._disk.resize(settings.disk_bytes)
        return self._disk

    def _questions(self, settings: CacheSettings) -> DiskLog | None:
        from fastgate.caching.semantic.log_disk import ROWS_A_NOTE, DiskLog

        folder = self._state.cache_dir / "semantic"
        rows_max, dim = ROWS_A_NOTE * settings.semantic.entries, settings.semantic.embedder.dimensions
        if self._log is not None and self._log.moved():
            self._log = None  # a thread may still read it; it is closed with its last user
        if self._log is not None:
            self._log.resize(rows_max, dim)
        elif folder.exists():
            self._log = DiskLog(folder, rows_max, dim)
        return self._log


class Notes(Protocol):
    """What a log of questions offers to commands."""

    def rows(self) -> Iterable[tuple[Any, Row]]: ...
    def drop(self, matches: Callable[[Row], bool]) -> int: ...


class Asked:
    """What the log says of one group."""

    def __init__(self) -> None:
        self.questions = self.compared = self.agreed = 0

    def count(self, row: Row) -> None:
        from fastgate.caching.semantic.note import Verdict

        if isinstance(row, Verdict):
            self.compared += 1
            self.agreed += row.agreed
        else:
            self.questions += 1


class Opened:
    """Answers and questions for the time of a with block; `notes` is None where no question was ever remembered."""

    def __init__(self, store: Store, notes: Notes | None) -> None:
        self.heads = store.heads
        self.facts = store.facts
        self.purge = store.purge
        self._notes = notes

    def rows(self) -> Iterable[tuple[Any, Row]]:
        return self._notes.rows() if self._notes is not None else ()

    def drop(self, matches: Callable[[Row], bool]) -> int:
        return self._notes.drop(matches) if self._notes is not None else 0


@contextmanager
def redis(address: str) -> Iterator[Opened]:
    """The store that several machines share, on a connection of its own."""
    from fastgate.caching.resp import BlockingRedis, RedisUrl
    from fastgate.caching.semantic.log_redis import RedisLogAdmin
    from fastgate.caching.shared import SharedAdmin

    try:
        connection = BlockingRedis(RedisUrl(address))
    except OSError as error:
        raise OperationError("unusable", f"the cache's Redis cannot be reached: {error}.") from None
    admin = SharedAdmin(connection)
    with closing(admin):
        yield Opened(admin, RedisLogAdmin(connection))


def row_of(group: Group, sums: dict[str, SpendRow], held: list[int], asked: Asked) -> CacheRow:
    counts = {kind: sums[kind].calls if kind in sums else 0 for kind in KINDS}
    answered = sum(counts[kind] for kind in ANSWERED)
    could = answered + counts["miss"] + counts["refresh"]
    org, team, namespace = group
    return CacheRow(
        org=org,
        team=team,
        namespace=namespace,
        calls=sum(row.calls for row in sums.values()),
        hit=counts["hit"],
        hit_inflight=counts["hit-inflight"],
        hit_semantic=counts["hit-semantic"],
        miss=counts["miss"],
        refresh=counts["refresh"],
        bypass=counts["bypass"],
        hit_ratio=ratio(answered, could),
        saved=format_usd(sum(sums[kind].saved_nano for kind in ANSWERED if kind in sums)),
        entries=len(held),
        bytes=sum(held),
        questions=asked.questions,
        compared=asked.compared,
        agreed=asked.agreed,
    )
