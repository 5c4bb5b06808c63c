import pytest

from prmkit.run.ranks import Process, local_rank, this_process


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Process(0, 1)),
        ({"RANK": "3", "WORLD_SIZE": "4"}, Process(3, 4)),  # torchrun
        ({"RANK": "8", "WORLD_SIZE": "16", "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"}, Process(8, 16)),
        ({"LOCAL_RANK": "1", "NODE_RANK": "0", "WORLD_SIZE": "2"}, Process(1, 2)),  # Lightning
        ({"LOCAL_RANK": "0", "NODE_RANK": "1", "WORLD_SIZE": "2"}, Process(1, 2)),
        ({"SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS": "8"}, Process(2, 4)),  # srun
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "4"}, Process(0, 4)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, Process(0, 1)),  # a batch script, alone in its job
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "8"}, Process(5, 8)),
        ({"RANK": "", "WORLD_SIZE": ""}, Process(0, 1)),
    ],
)
def test_a_process_knows_its_number_whoever_started_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: Process
) -> None:
    for name in (
        "RANK",
        "WORLD_SIZE",
        "LOCAL_RANK",
        "NODE_RANK",
        "SLURM_PROCID",
        "SLURM_STEP_NUM_TASKS",
        "SLURM_NTASKS",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert this_process() == expected
    assert this_process().first == (expected.rank == 0)


@pytest.mark.parametrize(
    ("environment", "expected"), [({}, 0), ({"SLURM_LOCALID": "3"}, 3), ({"LOCAL_RANK": "2", "SLURM_LOCALID": "0"}, 2)]
)
def test_each_process_of_a_machine_has_a_number(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: int
) -> None:
    for name in ("LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert local_rank() == expected
