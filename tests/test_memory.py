import pytest
import torch
from torch import nn
from toys import engine

from sparring.errors import TrainingError
from sparring.games.latent import Latent
from sparring.memory import available, fitting, held_for_backward, needed, told_when_it_runs_out
from sparring.networks.mlp import Mlp
from sparring.training import Training

CPU = torch.device("cpu")


def machine(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return available(CPU, root)


MACHINE = {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    5000 kB\n"}


def test_the_machines_memory_is_read(tmp_path):
    assert machine(tmp_path, MACHINE) == 5000 * 1024
    assert available(CPU) > 2**20


def test_nothing_is_said_where_nothing_says_so(tmp_path):
    assert machine(tmp_path, {"proc/x": ""}) is None
    assert available(torch.device("mps"), tmp_path) is None


def test_a_control_group_of_either_version_and_those_above_it_count(tmp_path):
    second = {
        "proc/self/cgroup": "0::/a/b\n",
        "sys/fs/cgroup/a/memory.max": "1000000\n",
        "sys/fs/cgroup/a/memory.current": "400000\n",
        "sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 100000\n",
        "sys/fs/cgroup/a/b/memory.max": "max\n",
        "sys/fs/cgroup/a/b/memory.current": "1\n",
    }
    assert machine(tmp_path / "2", MACHINE | second) == 700_000
    first = {
        "proc/self/cgroup": "4:memory:/x\n2:cpu,cpuacct:/\n",
        "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "300000",
        "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "400000",
        "sys/fs/cgroup/memory/x/memory.stat": "total_inactive_file 0\n",
    }
    assert machine(tmp_path / "1", MACHINE | first) == 0


def test_what_backward_holds_is_counted_once_and_grows_with_the_rows():
    layer = nn.Linear(100, 50)
    found = {}
    for rows in (4, 8):
        with held_for_backward() as held:
            items = torch.zeros(rows, 100)
            layer(layer.weight.new_zeros(rows, 100) + items).relu().sum().backward()
        found[rows] = held()
    assert found[8] - found[4] == 4 * (100 + 50) * 4


def test_a_steps_need_is_extrapolated_and_parts_are_found_that_fit():
    measured = {4: 1000, 8: 1400}
    assert needed(measured, 8) == int(1.5 * 1400)
    assert needed(measured, 64) == int(1.5 * (1000 + 60 * 100))
    assert fitting(measured, 64, 10_500) == [1, 2, 4, 8, 16, 32, 64]
    assert fitting(measured, 64, 6000) == [2, 4, 8, 16, 32, 64]
    assert fitting(measured, 64, 0) == []
    assert needed({10: 1000}, 40) == int(1.5 * 4000)


def test_a_step_of_a_game_holds_more_with_more_rows():
    found = {}
    for rows in (4, 8):
        playing = engine(Latent(network=Mlp(width=64)), training=Training(batch=rows))
        with held_for_backward() as held:
            playing.step()
        found[rows] = held()
    assert 0 < found[4] < found[8] < 2 * found[4]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        MemoryError("Unable to allocate"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_running_out_is_told_in_one_line_with_the_remedy(error):
    said = r"memory ran out \(.*--resume --auto-batch goes on .*training\.accumulate=2 computes"
    with pytest.raises(TrainingError, match=said), told_when_it_runs_out(64, 1):
        raise error


def test_without_a_run_nothing_is_said_of_going_on():
    said = r"^memory ran out \(.*\); --set training\.accumulate=2 computes"
    with pytest.raises(TrainingError, match=said), told_when_it_runs_out(64, 1, goes_on=False):
        raise MemoryError("none")


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"), told_when_it_runs_out(64, 1):
        raise RuntimeError("shapes differ")
