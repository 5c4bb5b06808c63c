"""A chat on vLLM, exact by token ids and without a tokenizer here: the server's own puts the turns into its template.

A policy goes on from the very ids that it wrote, which go back to ``/v1/completions``. A text that it did not write is
tokenised by the server, behind its prompt as one text, behind ids alone.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from prmkit.errors import InputError
from prmkit.generate import Continuation, Sampling, check_prompt
from prmkit.generate.answers import Usage, choice_of, mapping, text_of, usage_of
from prmkit.generate.by_strings import OPENAI_STOPS, up_to_step
from prmkit.generate.chat.text import ChatContinuation, ChatPrompt, ChatSide, Turn, chat_tags
from prmkit.generate.format import PolicyFormat
from prmkit.generate.openai import AS_ASKED, ids_of
from prmkit.generate.server import Refused, Server, Trouble
from prmkit.generate.stop import StepStop
from prmkit.generate.thoughts import Tags
from prmkit.thoughts import TAGS

_PLACE, _REPLY, _NEXT = (f"the{what}standshere" for what in ("problem", "answer", "nextproblem"))
"""What a chat is asked about and answers, to see what the template puts around a problem and behind an answer. They
come back through the server's tokens, which may have nothing for rarer characters than letters."""

_SAMPLE = (
    "Solve 12x^2 - \\frac{7}{3} = 0.\n\nÜber naïve Größen: 数学, решить задачу \U0001f600"
    "<s></s><pad><unk><bos><eos><|endoftext|><|im_start|><|im_end|><|begin_of_text|><|end_of_text|><|eot_id|><|eom_id|>"
    "<start_of_turn><end_of_turn><|end|><|return|><|user|><|assistant|>[PAD][INST][/INST]"
)
"""Where two vocabularies make the same tokens of it, they are taken for one. It holds special tokens of many."""

_SPECIAL = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")
"""What a template's own tokens look like: <|im_end|>, </s>, [/INST]."""

_REMEMBERED = 4096
"""Prompts whose ids are kept."""

_TOLD_BY_TEMPLATE = ("reasoning_effort", "chat_template_kwargs")
"""Keys of a chat request that /v1/completions does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """One continuation, the text of its tokens, and the token counts of its request."""

    continuation: Continuation
    pieces: tuple[str, ...]
    usage: Usage


class _Heard:
    """What the tokens of a continuation say, as the server spelled them out."""

    def __init__(self) -> None:
        self.portions: list[Portion] = []

    def of(self, before: Sequence[int], ids: Sequence[int]) -> Sequence[str]:
        return [piece for portion in self.portions for piece in portion.pieces]


class VllmIds:
    """Speaks with a vLLM server in ids.

    Args:
        server: the server.
        template_arguments: what its chat template takes besides.
        options: further keys of each request.

    Raises:
        InputError: an option is one for the template.
    """

    def __init__(
        self,
        server: Server,
        template_arguments: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> None:
        if wrong := [key for key in _TOLD_BY_TEMPLATE if key in options]:
            raise InputError(
                "on vLLM this goes to the chat template",
                where=f"engine.options.{wrong[0]}",
                cure="Say it in format.template_arguments.",
            )
        self._server = server
        self._arguments = dict(template_arguments)
        self._options = dict(options)
        self._known: dict[tuple[Turn, ...], list[int]] = {}
        self._end_ids: list[int] = []

    async def side(self, format: PolicyFormat) -> ChatSide | None:
        """What is known of the policy; None where the server has no ``/tokenize``.

        Raises:
            InputError: the server's chat template refuses the turns.
        """
        system = [Turn("system", format.system)] if format.system is not None else []
        try:
            around = await self._turn_tokens((*system, Turn("user", _PLACE)), spelled=True)
            after = (await self._text(around["tokens"])).rpartition(_PLACE)[2]
            known = await self._text_tokens(_SAMPLE, spelled=True)
            # Older versions do not spell.
            spelled = [*(around.get("token_strs") or ()), *(known.get("token_strs") or ())]
            special = {token for token in spelled if isinstance(token, str) and _SPECIAL.fullmatch(token)}
            words = f"{self._server.card.get('root', self._server.model)} {known['tokens']}"
            tags = await self._tags(format)
            self._end_ids = await self._turn_ends(system, tags)
        except Refused as refusal:
            if refusal.status in (403, 404, 405):
                return None
            raise
        vocabulary = hashlib.blake2b(words.encode(), digest_size=8).hexdigest()
        return ChatSide(tags, after, vocabulary, tuple(sorted(special)))

    async def ids(self, prompt: ChatPrompt) -> list[int]:
        """All that the policy reads, as token ids."""
        ids, parts = await self._turn_ids(prompt.turns), list(prompt.parts)
        begun = ""
        while parts and parts[0].ids is None:
            begun += parts.pop(0).text
        if begun:
            before = await self._text(ids)
            one_text = await self._text_ids(before) == ids
            ids = await self._text_ids(before + begun) if one_text else [*ids, *await self._text_ids(begun)]
        for part in parts:
            ids = [*ids, *(await self._text_ids(part.text) if part.ids is None else part.ids)]
        return ids

    async def go_on(
        self, prompt: ChatPrompt, *, sampling: Sampling, seed: int, stop: StepStop | None
    ) -> tuple[ChatContinuation, list[Usage]]:
        """One continuation, and the token counts of the requests that it took.

        Raises:
            TooLong: the prompt fills the context.
            RunError: no try brought a usable answer.
        """
        ids = await self.ids(prompt)
        check_prompt(ids, None)
        heard = _Heard()
        ask = partial(self._heard, heard)
        room = self._server.room(len(ids))
        one, portions = await up_to_step(
            ask, heard, ids, sampling=sampling, seed=seed, stop=stop, room=room, most=OPENAI_STOPS
        )
        pieces = [piece for portion in portions for piece in portion.pieces]
        pieces = pieces[: len(one.ids)]  # what was written behind the end of a step is not read
        whole = ChatContinuation(
            ids=one.ids,
            exact=True,
            finish=one.finish,
            pieces=tuple(pieces) if len(pieces) == len(one.ids) else ("".join(pieces),),
            written=len(one.ids),
        )
        return whole, [portion.usage for portion in portions]

    async def _heard(
        self, heard: _Heard, ids: Sequence[int], sampling: Sampling, seed: int, stop: tuple[str, ...]
    ) -> Portion:
        async def up_to(tokens: int) -> Portion:
            fitting = sampling.model_copy(update={"max_tokens": tokens})
            return await self._server.persist(self._ask, ids, fitting, seed, stop)

        portion = await self._server.within_context(up_to, sampling.max_tokens)
        heard.portions.append(portion)
        return portion

    async def _ask(self, ids: Sequence[int], sampling: Sampling, seed: int, stop: tuple[str, ...]) -> Portion:
        body = AS_ASKED | {
            "model": self._server.model,
            "prompt": list(ids),
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
            "logprobs": 0,  # with them, each token is spelled out
            "return_token_ids": True,
            "skip_special_tokens": False,
            "include_stop_str_in_output": True,
        }
        body |= {"stop": list(stop)} if stop else {}
        body |= {"stop_token_ids": self._end_ids} if self._end_ids else {}
        reply = await self._server.post("/v1/completions", body | self._options)
        choice, usage = choice_of(reply), usage_of(reply)
        continuation, sampled = ids_of(choice, self._end_ids)
        return Portion(
            continuation=continuation,
            pieces=_pieces(choice, len(continuation.ids)),
            usage=usage.or_else(len(ids), sampled),
        )

    async def _tags(self, format: PolicyFormat) -> Tags | None:
        thoughts = format.thoughts
        if thoughts.open is None and thoughts.family == "auto":
            for open, close in TAGS.values():
                mark = close if "|" not in close else open.partition(">")[0] + ">"
                if len(await self._text_ids(mark)) == 1:
                    return Tags(open, close)
        return chat_tags(format)

    async def _turn_ends(self, system: Sequence[Turn], tags: Tags | None) -> list[int]:
        """The special tokens that the chat template writes behind an answer, at its end and before a next problem.

        A model's own list of ends may lack them. What is written around its thoughts ends no answer.
        """
        answered = (*system, Turn("user", _PLACE), Turn("assistant", _REPLY))
        behind = [await self._behind(answered), await self._behind((*answered, Turn("user", _NEXT)))]
        written = [token for text in behind if text for token in await self._text_ids(text)]
        inside = [token for tag in tags or () for token in await self._text_ids(tag)]
        found = [token for token in dict.fromkeys(written) if token not in inside]
        return sorted([token for token in found if _SPECIAL.fullmatch((await self._text([token])).strip())])

    async def _behind(self, turns: tuple[Turn, ...]) -> str:
        """What the template writes behind the answer; nothing, where it refuses these turns."""
        try:
            rendered = await self._turn_tokens(turns, open=False)
        except Refused:
            return ""
        return (await self._text(rendered["tokens"])).partition(_REPLY)[2].partition(_NEXT)[0].strip()

    async def _turn_ids(self, turns: tuple[Turn, ...]) -> list[int]:
        if turns not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[turns] = (await self._turn_tokens(turns))["tokens"]
        return self._known[turns]

    async def _turn_tokens(
        self, turns: tuple[Turn, ...], *, spelled: bool = False, open: bool = True
    ) -> Mapping[str, Any]:
        body: dict[str, Any] = {"messages": [turn._asdict() for turn in turns], "add_generation_prompt": open}
        if self._arguments:
            body["chat_template_kwargs"] = self._arguments
        return await self._told("/tokenize", body | {"return_token_strs": spelled}, "tokens", list)

    async def _text_ids(self, text: str) -> list[int]:
        return list((await self._text_tokens(text))["tokens"])

    async def _text_tokens(self, text: str, *, spelled: bool = False) -> Mapping[str, Any]:
        body = {"prompt": text, "add_special_tokens": False, "return_token_strs": spelled}
        return await self._told("/tokenize", body, "tokens", list)

    async def _text(self, ids: Sequence[int]) -> str:
        return str((await self._told("/detokenize", {"tokens": list(ids)}, "prompt", str))["prompt"])

    async def _told(self, path: str, body: Mapping[str, Any], key: str, kind: type) -> Mapping[str, Any]:
        async def attempt() -> Mapping[str, Any]:
            reply = await self._server.post(path, {"model": self._server.model, **body})
            if not isinstance(reply.get(key), kind):
                raise Trouble(f"an answer without {key}: {str(reply)[:120]}")
            return reply

        return await self._server.persist(attempt)


def _pieces(choice: Mapping[str, Any], tokens: int) -> tuple[str, ...]:
    """The text of each of the tokens; the text as one piece, where the server does not spell them out.

    Some tokenizers lose the blank in front of a token that is decoded alone. An end of sequence is no part of it.
    """
    text, spelled = text_of(choice), mapping(choice.get("logprobs")).get("tokens")
    if not isinstance(spelled, list) or not all(isinstance(each, str) for each in spelled):
        return (text,)
    pieces, end = tuple(spelled[:tokens]), "".join(spelled[tokens:])
    whole = "".join(pieces)
    # The text may break off in the end of sequence, where a stop string is a part of its name.
    same = whole.startswith(text) or (text.startswith(whole) and end.startswith(text[len(whole) :]))
    return pieces if len(pieces) == tokens and same else (text.removesuffix(end),)
