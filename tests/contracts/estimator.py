"""What every label estimator must keep.

class TestMine(EstimatorContract):
    name = "my_package.my_module:estimator"
"""

import asyncio
import copy
import random
from collections.abc import Sequence

from prmkit.annotate import bind, config_class
from prmkit.generate import Generation, Sampling
from prmkit.session.journal import Journal
from prmkit.tree import Finish, Problem, StepTree
from tests.fakes import ScriptedGenerator, make_session


def script(prompt: str, sample: int) -> tuple[str, Finish]:
    """A judge sees that a step is wrong; a rollout succeeds every other time unless that step stands before it."""
    if "[Solution]" in prompt:
        return ("First wrong step: 2" if "[Step 2]\nwrong" in prompt else "First wrong step: none"), "eos"
    return ("go on\n4" if sample % 2 == 0 and "wrong" not in prompt else "go on\n5"), "eos"


class SlowGenerator(ScriptedGenerator):
    """Replies in an order of its own."""

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: str | None = None
    ) -> Generation:
        await asyncio.sleep(random.random() / 500)
        return await super().generate(prompt_ids, n, sampling=sampling, seed=seed, stop=stop)


def three_solutions(answer: str | None = "4") -> StepTree:
    """One right solution, one that goes wrong at its second step, and one cut short."""
    tree = StepTree(Problem(id="p", prompt="?", answer=answer))
    first = tree.add(-1, "start", finish="stop")
    tree.add(tree.add(first, "right", finish="stop"), "4", finish="eos")
    tree.add(tree.add(first, "wrong", finish="stop"), "5", finish="eos")
    tree.add(first, "cut", finish="length")
    return tree


class EstimatorContract:
    """Subclass it with ``name``: a label estimator by name or dotpath."""

    name: str

    def estimate(self, tree: StepTree, *, slow: bool = False, journal: Journal | None = None) -> ScriptedGenerator:
        """Run the estimator with its default config, and return the engine that it asked."""
        generator = (SlowGenerator if slow else ScriptedGenerator)(script)
        session = make_session(generator, tree=tree, journal=journal)
        asyncio.run(bind(self.name, {})(session))
        return generator

    def test_its_config_has_a_default_for_every_field_and_says_what_it_means(self) -> None:
        kind = config_class(self.name)
        kind()
        assert all(field.description for field in kind.model_fields.values())

    def test_it_labels_steps_and_leaves_what_was_there(self) -> None:
        tree, before = three_solutions(), three_solutions()
        self.estimate(tree)
        assert self.check(tree, before)

    def test_a_wrong_step_has_a_lower_label_than_the_right_one_beside_it(self) -> None:
        tree = three_solutions()
        self.estimate(tree)
        wrong, right = tree.nodes[3].label, tree.nodes[1].label
        assert wrong is not None
        assert right is None or wrong.value < right.value

    def test_the_order_of_replies_changes_nothing(self) -> None:
        trees = [three_solutions() for _ in range(4)]
        for number, tree in enumerate(trees):
            self.estimate(tree, slow=number > 0)
        assert all(tree == trees[0] for tree in trees)

    def test_a_journal_answers_a_second_run(self, tmp_path_factory: object) -> None:
        path = tmp_path_factory.mktemp("journal") / "journal.jsonl"  # type: ignore[attr-defined]
        first, second = three_solutions(), three_solutions()
        assert self.estimate(first, journal=Journal(path)).requests
        assert self.estimate(second, journal=Journal(path)).requests == []
        assert first == second

    def test_a_problem_without_answer_or_solution_is_no_error(self) -> None:
        for given in (three_solutions(answer=None), StepTree(Problem(id="p", prompt="?", answer="4"))):
            before = copy.deepcopy(given)
            self.estimate(given)
            self.check(given, before)

    def check(self, tree: StepTree, before: StepTree) -> int:
        """The number of labels, all of them shares with a source; the steps that were there are there."""
        assert [(n.parent, n.text, n.finish) for n in tree.nodes[: len(before)]] == [
            (n.parent, n.text, n.finish) for n in before
        ]
        labels = [node.label for node in tree if node.label is not None]
        assert all(0 <= label.value <= 1 and label.source for label in labels)
        return len(labels)
