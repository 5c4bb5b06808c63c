import dataclasses
from pathlib import Path

from prmkit.study.slurm import sbatch_script
from tests.study.studies import cell

GOLDEN = """\
#!/bin/sh
set -e
job1=$(sbatch --parsable --job-name=annotate-1 --partition=gpu --wrap='prmkit study figure1 --cell annotate-1')
job2=$(sbatch --parsable --dependency=afterok:$job1 --job-name=train-2 --nodes=4 --ntasks-per-node=8 \
--gpus-per-node=8 --partition=gpu --wrap='srun prmkit study figure1 --cell train-2')
job3=$(sbatch --parsable --dependency=afterok:$job1:$job2 --job-name=search-3 --gpus-per-node=1 --partition=gpu \
--wrap='prmkit study figure1 --cell search-3')
sbatch --parsable --dependency=afterany:$job1:$job2:$job3 --job-name=gather --partition=gpu \
--wrap='prmkit study figure1 --collect'
"""


def test_each_job_waits_for_its_inputs_and_the_last_one_for_all(tmp_path: Path) -> None:
    first = cell(tmp_path, "annotate-1", "world-0")
    second = dataclasses.replace(cell(tmp_path, "train-2", "annotate-1"), gpus=8, nodes=4)
    third = dataclasses.replace(cell(tmp_path, "search-3", "annotate-1", "train-2"), gpus=1)
    done = cell(tmp_path, "world-0")
    done.record.write_text("{}")
    cells = {each.name: each for each in (done, first, second, third)}
    assert sbatch_script(cells, ["prmkit", "study", "figure1"], ["--partition=gpu"]) == GOLDEN


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    script = sbatch_script({"a": cell(tmp_path, "a")}, ["prmkit", "study", "x; rm -rf ~ '$(id)'"], [])
    (line,) = [line for line in script.splitlines() if "--job-name=a " in line]
    import shlex

    inner = line.removeprefix("job1=$(").removesuffix(")")
    wrapped = shlex.split(inner)[-1].removeprefix("--wrap=")
    assert shlex.split(wrapped) == ["prmkit", "study", "x; rm -rf ~ '$(id)'", "--cell", "a"]
