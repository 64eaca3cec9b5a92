"""Tasks on several processes: the results of one, whatever dies; and one sentence for a cluster that cannot be used."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgemoe import cluster
from edgemoe.cluster import ATTEMPTS, Cluster, ClusterError, Pool, identity, run
from edgemoe.errors import ArgumentError

pytest.importorskip("distributed", reason="needs the extra 'cluster'")
TASKS = [(number,) for number in range(9)]


def squared(number: int) -> int:
    return number * number


def killed_once(number: int, folder: str) -> int:
    """The worker that takes task 4 first is killed in the middle of it."""
    if number == 4:
        try:
            (Path(folder) / "killed").touch(exist_ok=False)
        except FileExistsError:
            return squared(number)
        os.kill(os.getpid(), signal.SIGKILL)
    return squared(number)


def always_killed(number: int, folder: str) -> int:
    if number == 2:
        with (Path(folder) / "attempts").open("a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return squared(number)


def refused(number: int) -> int:
    if number == 3:
        raise ArgumentError("no three")
    return number


SERIAL = run(squared, TASKS)


def test_results_are_those_of_one_process_in_the_order_of_the_tasks() -> None:
    seen: dict[int, int] = {}
    assert run(squared, TASKS, Cluster(3), done=seen.__setitem__) == SERIAL == [n * n for n in range(9)]
    assert seen == dict(enumerate(SERIAL))


def test_a_worker_that_is_killed_costs_only_its_task(tmp_path: Path) -> None:
    tasks = [(number, str(tmp_path)) for (number,) in TASKS]
    assert run(killed_once, tasks, Cluster(2)) == SERIAL
    assert (tmp_path / "killed").is_file(), "nobody was killed"


def test_a_task_that_ends_each_worker_is_given_up_when_the_others_are_done(tmp_path: Path) -> None:
    seen: dict[int, int] = {}
    tasks = [(number, str(tmp_path)) for (number,) in TASKS]
    with pytest.raises(ClusterError, match=rf"1 of 9 tasks ended their worker {ATTEMPTS} times.* number 3;"):
        run(always_killed, tasks, Cluster(2), done=seen.__setitem__)
    assert seen == {number: squared(number) for (number,) in TASKS if number != 2}
    assert len((tmp_path / "attempts").read_text()) == ATTEMPTS


def test_a_task_whose_worker_died_for_another_s_sake_is_tried_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Task 3 waits for the worker that task 2 ends: to Dask one is as suspect as the other."""
    from distributed import KilledWorker

    attempts: Counter[int] = Counter()

    class Future:
        def __init__(self, call: Callable[[tuple[int]], int], task: tuple[int]) -> None:
            self.call, self.task = call, task

        def result(self) -> int:
            (number,) = self.task
            attempts[number] += 1
            if number == 2 or (number == 3 and attempts[3] == 1):
                raise KilledWorker("task", None, 0)  # type: ignore[arg-type]
            return self.call(self.task)

    class Client:
        def submit(self, call: Callable[[tuple[int]], int], task: tuple[int], *, pure: bool) -> Future:
            return Future(call, task)

        def cancel(self, futures: list[Future], *, force: bool) -> None:
            pass

    monkeypatch.setattr("distributed.as_completed", iter)
    seen: dict[int, int] = {}
    with pytest.raises(ClusterError, match=rf"1 of 9 tasks ended their worker {ATTEMPTS} times.* number 3;"):
        Pool(Client()).run(squared, TASKS, done=seen.__setitem__)
    assert seen == {number: squared(number) for (number,) in TASKS if number != 2}
    assert attempts == {number: {2: ATTEMPTS, 3: 2}.get(number, 1) for (number,) in TASKS}


@pytest.mark.parametrize("where", [Cluster(), Cluster(2)], ids=["here", "two workers"])
def test_an_error_of_a_task_is_that_of_the_run(where: Cluster) -> None:
    with pytest.raises(ArgumentError, match=r"^no three$"):
        run(refused, TASKS, where)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A scheduler with one worker, as other programs."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as local:
        yield local.scheduler_address


def test_a_scheduler_by_its_address(scheduler: str) -> None:
    assert run(squared, TASKS, Cluster(scheduler=scheduler)) == SERIAL


def test_workers_of_another_version_are_refused(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    version, _, python = identity()
    monkeypatch.setattr(cluster, "identity", lambda: (version, "0123", python))
    with pytest.raises(
        ClusterError, match=r"another version \(sources \w+ there, 0123 here\); install the same edgemoe"
    ):
        run(squared, TASKS, Cluster(scheduler=scheduler))


def test_a_scheduler_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address}; start one with `dask scheduler`"):
        run(squared, TASKS, Cluster(scheduler=address))


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "PATIENCE", 2.0)
    with distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as local:
        address = local.scheduler_address
        with pytest.raises(ClusterError, match=f"{address} has no workers; start some: dask worker {address}"):
            run(squared, TASKS, Cluster(scheduler=address))


@pytest.mark.parametrize("address", ["nonsense://host:1", "host", "tcp://host"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ArgumentError, match=f"--scheduler {address} is no address such as tcp://host:8786"):
        run(squared, TASKS, Cluster(scheduler=address))


def test_fewer_workers_than_one_are_refused() -> None:
    with pytest.raises(ArgumentError, match="--workers must be at least 1, found 0"):
        Cluster(0)


def test_one_process_needs_no_dask() -> None:
    program = "import sys; from edgemoe.cluster import run; run(abs, [(-1,)]); print('distributed' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
