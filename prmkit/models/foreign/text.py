"""How other people's PRMs read a solution. Each is append-only in token ids, as ours is."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace

from transformers import PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.packing.encode import StepEncoder
from prmkit.packing.ids import packed
from prmkit.tree import Problem


def _bos(tokenizer: PreTrainedTokenizerBase) -> bytes:
    """The token that begins a text, packed, if there is one."""
    return packed([] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id])


class TRLEncoder(StepEncoder):
    """Prompt and steps are tokenised one by one; nothing stands between the prompt and the first step.

    Source: trl/experimental/prm/prm_trainer.py, tokenize_row.
    """

    def packed_problem(self, problem: Problem) -> bytes:
        """See StepEncoder.packed_problem."""
        return _bos(self.tokenizer) + self._packed_text(problem.prompt)


class SkyworkEncoder(StepEncoder):
    """The problem and its line end are tokenised together, then each step, then the line end's last token.

    Source: github.com/SkyworkAI/skywork-o1-prm-inference, io_utils.prepare_input.
    """

    def packed_problem(self, problem: Problem) -> bytes:
        """See StepEncoder.packed_problem."""
        return _bos(self.tokenizer) + self._packed_text(problem.prompt + "\n")

    def packed_step(self, text: str) -> bytes:
        """See StepEncoder.packed_step."""
        return self._packed_text(text) + packed(self.step_end_ids[-1:])


class _WholeText(StepEncoder):
    """A path is one text, tokenised as a whole; what stands before a place in it does not depend on what follows."""

    starts_with_bos = True

    def pieces(self, problem: Problem, steps: Sequence[str]) -> Iterator[str]:
        """The text, cut behind the tokens at which the scores of the steps are read, one piece a step."""
        raise NotImplementedError

    def path_ids(self, problem: Problem, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        """See StepEncoder.path_ids.

        Raises:
            InputError: a token stretches over the place where a score is read.
        """
        if not steps:
            return [], []
        text, reads = "", []
        problem = replace(problem, prompt=self._harmless(problem.prompt))
        for piece in self.pieces(problem, [self._harmless(step) for step in steps]):
            text += piece
            reads.append(len(text))
        encoded = self.tokenizer(text, add_special_tokens=self.starts_with_bos, return_offsets_mapping=True)
        offsets = encoded["offset_mapping"]
        starts = [start for start, _ in offsets]
        ends = [bisect_left(starts, read) - 1 for read in reads]
        for end, read in zip(ends, reads, strict=True):
            if offsets[end][1] != read:
                raise InputError(
                    "the tokenizer joins the end of a step with what follows it",
                    where=self.tokenizer.name_or_path or "tokenizer",
                    got=text[offsets[end][0] : offsets[end][1]],
                    cure="The adapter belongs to another model.",
                )
        return list(encoded["input_ids"]), ends

    def _harmless(self, text: str) -> str:
        # Text of a problem or a model may spell a special token; it must not become one.
        for special in self.tokenizer.get_added_vocab():
            text = text.replace(special, f"{special[0]} {special[1:]}")
        return text


class MathShepherdEncoder(_WholeText):
    """``question step ки\\nstep ки``; the score is read at the tag.

    Source: the card of huggingface.co/peiyi9979/math-shepherd-mistral-7b-prm.
    """

    def pieces(self, problem: Problem, steps: Sequence[str]) -> Iterator[str]:
        """See _WholeText.pieces."""
        for number, step in enumerate(steps):
            before = "\n" if number else f"{problem.prompt} "
            yield f"{before}{step} ки"


class RLHFlowEncoder(_WholeText):
    """A chat in which the user says a step and the assistant answers +; the score is read where the + is foretold.

    The first turn of the user is the problem, a space and the first step.

    Source: github.com/RLHFlow/RLHF-Reward-Modeling, math-rm/prm_evaluate.py.
    """

    starts_with_bos = False  # the chat template has it

    def pieces(self, problem: Problem, steps: Sequence[str]) -> Iterator[str]:
        """See _WholeText.pieces."""
        if not self.tokenizer.chat_template:
            raise InputError(
                "the tokenizer has no chat template",
                where=self.tokenizer.name_or_path or "tokenizer",
                cure="The folder is not complete, or the adapter belongs to another model.",
            )
        turns: list[dict[str, str]] = []
        known = ""
        for number, step in enumerate(steps):
            turns.append({"role": "user", "content": step if number else f"{problem.prompt} {step}"})
            text = str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
            if not text.startswith(known):
                raise InputError(
                    "the chat template does not only append turns",
                    where=self.tokenizer.name_or_path or "tokenizer",
                    cure="The adapter belongs to another model.",
                )
            yield text[len(known) :]
            turns.append({"role": "assistant", "content": "+"})
            known = text
