"""Independent tasks, one after the other here or side by side on a Dask cluster, with the same results.

A task is a call of a function that workers can import, with arguments and a result that can be pickled. A worker that
dies costs its tasks only, which are tried again, each alone, when all others are done; one that ends its worker each
time is given up after `ATTEMPTS`.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import logging
import platform
import socket
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from edgemoe.devices.build_cache import digest_of
from edgemoe.errors import ArgumentError, EdgeMoeError
from edgemoe.extras import how_to_install
from edgemoe.version import version

ATTEMPTS = 3
PATIENCE = 15.0  # seconds until a scheduler has answered, and until it has a worker
PACKAGES = ("edgemoe", "edgemoe_golden")  # whose sources a worker has to share

T = TypeVar("T")
Arguments = tuple[Any, ...]


class ClusterError(EdgeMoeError, RuntimeError):
    """A cluster that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Cluster:
    """Where tasks run. workers: processes on this computer, 1: this very process; scheduler: address of a Dask
    scheduler, such as tcp://host:8786, which has workers of its own.
    """

    workers: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ArgumentError(f"--workers must be at least 1, found {self.workers}")


HERE = Cluster()


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """--workers, --scheduler."""
    parser.add_argument("--workers", type=int, default=1, help="processes on this computer (default: %(default)s)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler, as tcp://host:8786, instead")


def cluster_of(options: argparse.Namespace) -> Cluster:
    """What those arguments say; raises ArgumentError."""
    return Cluster(options.workers, options.scheduler)


class Pool:
    """Workers that stay for several calls. client: of Dask; None: this process."""

    def __init__(self, client: Any = None) -> None:
        self._client = client

    def run(
        self,
        function: Callable[..., T],
        tasks: Sequence[Arguments],
        title: str = "",
        done: Callable[[int, T], object] = lambda number, result: None,
    ) -> list[T]:
        """See `run`."""
        results: dict[int, T] = {}
        ended = _in_turn(function, tasks) if self._client is None else _spread(self._client, function, tasks)
        with tqdm(total=len(tasks), desc=title, unit="task", leave=False, disable=not title) as bar:
            for number, result in ended:
                results[number] = result
                done(number, result)
                bar.update()
        return [results[number] for number in range(len(tasks))]


def run(
    function: Callable[..., T],
    tasks: Sequence[Arguments],
    cluster: Cluster = HERE,
    title: str = "",
    done: Callable[[int, T], object] = lambda number, result: None,
) -> list[T]:
    """`function(*task)` of every task, in the order of `tasks`; with a title, also a progress bar.

    done: called here with a task's place and result as soon as it has ended, whatever the order.
    Raises what the first task raises that fails, ClusterError for a cluster that cannot be used and for tasks that end
    their workers.
    """
    with pool(cluster) as workers:
        return workers.run(function, tasks, title, done)


@contextmanager
def pool(cluster: Cluster) -> Iterator[Pool]:
    """Workers for as long as the block lasts; raises ClusterError."""
    if cluster == HERE:
        yield Pool()
        return
    with _client(cluster) as client:
        yield Pool(client)


def _in_turn(function: Callable[..., T], tasks: Sequence[Arguments]) -> Iterator[tuple[int, T]]:
    for number, task in enumerate(tasks):
        yield number, function(*task)


def _spread(client: Any, function: Callable[..., T], tasks: Sequence[Arguments]) -> Iterator[tuple[int, T]]:
    """(place, result) as they end; last, one by one, those whose worker died: it may have been for another's sake."""
    call = functools.partial(checked, identity(), _importable(function))
    suspects = yield from _together(client, call, dict(enumerate(tasks)))
    lost = []
    for number in suspects:
        for _ in range(1, ATTEMPTS):
            if not (yield from _together(client, call, {number: tasks[number]})):
                break
        else:
            lost.append(number)
    if lost:
        raise ClusterError(
            f"{len(lost)} of {len(tasks)} tasks ended their worker {ATTEMPTS} times, the first being number "
            f"{lost[0] + 1}; the others are done: run again without --scheduler and with --workers 1 to see why"
        )


def _together(
    client: Any, call: Callable[[Arguments], T], tasks: Mapping[int, Arguments]
) -> Generator[tuple[int, T], None, list[int]]:
    """(place, result) as they end; returns the places of those whose worker died."""
    from distributed import KilledWorker, as_completed

    killed = []
    numbers = {client.submit(call, task, pure=False): number for number, task in tasks.items()}
    try:
        for future in as_completed(list(numbers)):
            try:
                yield numbers[future], future.result()
            except KilledWorker:
                killed.append(numbers[future])
            except ModuleNotFoundError as error:
                raise ClusterError(f"workers of this cluster cannot import {error.name}; {_same()}") from error
    finally:
        client.cancel(list(numbers), force=True)
    return sorted(killed)


@contextmanager
def _client(cluster: Cluster) -> Iterator[Any]:
    """A client of the scheduler named, or of a cluster of processes that ends with it. Raises ClusterError."""
    if find_spec("distributed") is None:
        raise ClusterError(f"several workers need Dask, which is not installed; run: {how_to_install('cluster')}")
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    settings = {"distributed.scheduler.allowed-failures": 0, "distributed.comm.timeouts.connect": PATIENCE}
    with dask.config.set(settings):
        if cluster.scheduler is None:
            local = LocalCluster(
                n_workers=cluster.workers,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
            with local, Client(local) as client:
                _tell(client)
                yield client
            return
        _require_listener(cluster.scheduler)
        try:
            client = Client(cluster.scheduler, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            raise ClusterError(f"--scheduler {cluster.scheduler} is no Dask scheduler: {error}") from error
        with client:
            try:
                client.wait_for_workers(1, timeout=PATIENCE)
            except TimeoutError as error:
                raise ClusterError(
                    f"--scheduler {cluster.scheduler} has no workers; start some: dask worker {cluster.scheduler}"
                ) from error
            _tell(client)
            yield client


def _require_listener(address: str) -> None:
    """Raises ClusterError where nothing listens at an address, ArgumentError for what is none."""
    from distributed.comm.addressing import get_address_host_port

    try:
        host, port = get_address_host_port(address)
    except ValueError as error:
        raise ArgumentError(f"--scheduler {address} is no address such as tcp://host:8786") from error
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address}; start one with `dask scheduler`, or leave --scheduler out"
        ) from error


def _tell(client: Any) -> None:
    """Where Dask shows its work; its pages need a package that Dask itself does not."""
    if find_spec("bokeh"):
        print(f"Dask's dashboard: {client.dashboard_link}", file=sys.stderr)


@functools.cache
def identity() -> tuple[str, ...]:
    """What has to be the same everywhere for results to be: version, sources, Python."""
    folders = [Path(next(iter(spec.submodule_search_locations or ()))) for spec in map(find_spec, PACKAGES) if spec]
    sources = [path for folder in folders for path in sorted(folder.resolve().rglob("*.py"))]
    return version(), digest_of("", sources), ".".join(platform.python_version_tuple()[:2])


def checked(wanted: tuple[str, ...], function: Callable[..., T], task: Arguments) -> T:
    """The call, on a worker; raises ClusterError where that is not of the same version."""
    if identity() != wanted:
        names = ("edgemoe", "sources", "Python")
        differing = [
            f"{name} {own} there, {other} here"
            for name, own, other in zip(names, identity(), wanted, strict=True)
            if own != other
        ]
        raise ClusterError(f"a worker on {platform.node()} is of another version ({'; '.join(differing)}); {_same()}")
    return function(*task)


def _same() -> str:
    return "install the same edgemoe, with the same Python, on every worker"


def _importable(function: Callable[..., T]) -> Callable[..., T]:
    """The function by the name that workers know its module by, also where that runs as a program."""
    main = sys.modules["__main__"]
    if function.__module__ != "__main__" or main.__spec__ is None:
        return function
    found: Callable[..., T] = getattr(importlib.import_module(main.__spec__.name), function.__name__)
    return found
