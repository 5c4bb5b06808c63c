"""What is compared: responses to problems, as token ids."""

from dataclasses import dataclass

from prmkit.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response in its context.

    ``ids`` are the prompt and the response; the first ``prompt_length`` of them are the prompt. ``text`` is the
    response as a person reads it.

    Raises:
        InputError: the prompt or the response is empty.
    """

    problem_id: str
    ids: tuple[int, ...]
    prompt_length: int
    text: str

    def __post_init__(self) -> None:
        if self.prompt_length < 1:
            raise InputError("empty prompt", where=self.problem_id, got=self.prompt_length, expected="a token or more")
        if len(self.ids) <= self.prompt_length:
            raise InputError(
                "empty response",
                where=self.problem_id,
                got=self.text,
                expected="a response token or more after the prompt",
                cure="Leave the response out of its set.",
            )
