"""A chat server on this machine that can be told to misbehave. Its tokens are characters."""

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from tests.fake_server import FakeServer

Script = Callable[[str, int], str]
"""What the model answers to a question with a seed, from its beginning to its end."""

_PROBE = ("As you wish, the code is K7QX-93LM-T", "Z41-VB88")


def by_lot(question: str, seed: int) -> str:
    """Letters, fixed by question and seed."""
    lot, text = random.Random(f"{question}{seed}"), ""
    while not text.endswith("$"):
        text += lot.choice("abcdefg .\n$")
    return text[:-1]


class FakeChat(FakeServer):
    """A model that answers as a script says.

    Args:
        script: what it says.
        continues: whether it goes on with an answer that was begun, or begins a new turn behind it.
        trims: whether its template eats white space at the end of such an answer.
        echoes: whether it repeats such an answer in front of the rest.
        thoughts: the field for what stands within ``<think>`` tags; without one they stay in the content, and with
            ``list`` all stands in Mistral's list.
        refuses: keys of a request that it calls wrong, each with what it says.
        counts: whether it tells how many tokens there were.
        spells: whether it tells the likeliest tokens, each the one written and an X, at 3 to 1.
        finish: why its answers end.
    """

    def __init__(
        self,
        script: Script = by_lot,
        *,
        owner: str = "somebody",
        continues: bool = True,
        trims: bool = False,
        echoes: bool = False,
        thoughts: str | None = None,
        refuses: Mapping[str, str] | None = None,
        counts: bool = True,
        spells: bool = True,
        finish: str = "stop",
        lists: bool = True,
        tokenizes: bool = True,
        models: Sequence[str] = ("m",),
        **server: Any,
    ) -> None:
        super().__init__(owner=owner, models=models, **server)
        self.script, self.continues, self.trims, self.echoes = script, continues, trims, echoes
        self.thoughts, self.refuses, self.counts, self.spells = thoughts, dict(refuses or {}), counts, spells
        self.finish, self.lists, self.tokenizes = finish, lists, tokenizes
        self.tokenized: list[dict[str, Any]] = []

    def app(self) -> web.Application:
        app = super().app()
        for path in ("/v1/chat/completions", "/beta/chat/completions", "/v4/chat/completions"):
            app.router.add_post(path, self._complete)
        app.router.add_get("/v4/models", self._list)
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_post("/detokenize", self._detokenize)
        return app

    async def _list(self, request: web.Request) -> web.StreamResponse:
        return await super()._list(request) if self.lists else web.Response(status=404)

    async def _write(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        for key, said in self.refuses.items():
            if key in body:
                return web.json_response({"error": {"message": said, "param": None}}, status=400)
        if "messages" not in body:
            return self._completion(body)
        prompt, begun = self._read(request, body)
        limit = body.get("max_tokens", body.get("max_completion_tokens"))
        if refusal := self.refusal(prompt, limit):
            return refusal
        text = self._rest(body["messages"], begun, body.get("seed", 0) if body.get("temperature") else 0)
        text, finish = (text[:limit], "length") if len(text) >= limit else (text, self.finish)
        usage = {"prompt_tokens": prompt, "completion_tokens": len(text) + (finish == "stop")}
        thinking = self.thoughts is not None and begun.rfind("<think>") > begun.rfind("</think>")
        opened = "<think>" if thinking and not self._over(body) else ""
        return await self._speak(request, body, (begun if self.echoes else opened) + text, finish, usage)

    def _over(self, body: dict[str, Any]) -> bool:
        """Whether the thought that was begun is at its end."""
        question = next(turn["content"] for turn in body["messages"] if turn["role"] == "user")
        return self.script(question, 0).partition("</think>")[0].endswith(body["messages"][-1]["reasoning_content"])

    def _read(self, request: web.Request, body: dict[str, Any]) -> tuple[int, str]:
        """How many tokens the model reads, and the answer that it goes on with."""
        *turns, last = body["messages"]
        asked = body.get("continue_final_message") or last.get("prefix")
        if last["role"] != "assistant":
            return len(rendered(body["messages"])), ""
        if not (self.continues and asked):
            return len(rendered(body["messages"])), ""
        begun = last["content"].rstrip() if self.trims else last["content"]
        if "reasoning_content" in last:
            # Without words it cannot say whether the thought is over.
            begun = f"<think>{last['reasoning_content']}" + (f"</think>{begun}" if begun else "")
        return len(rendered(turns)) + len(begun), begun

    def _rest(self, messages: list[dict[str, Any]], begun: str, seed: int) -> str:
        question = next(turn["content"] for turn in messages[::-1] if turn["role"] == "user")
        if begun.startswith(_PROBE[0]):
            return _PROBE[1]
        whole = self.script(question, seed)
        assert whole.startswith(begun), (whole, begun)
        rest = whole[len(begun) :]
        return rest if self.thoughts is None else rest.removeprefix("</think>")

    async def _speak(
        self, request: web.Request, body: dict[str, Any], text: str, finish: str, usage: dict[str, int]
    ) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b": keep-alive\n\n")
        for delta in self._deltas(text):
            choice: dict[str, Any] = {"delta": delta, "finish_reason": None}
            if body.get("logprobs") and self.spells and isinstance(delta.get("content"), str):
                choice["logprobs"] = {"content": [_spelled(letter) for letter in delta["content"]]}
            await response.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
        end = {"choices": [{"delta": {}, "finish_reason": finish}]}
        await response.write(f"data: {json.dumps(end)}\n\n".encode())
        if self.counts and body.get("stream_options"):
            await response.write(f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    def _deltas(self, text: str) -> list[dict[str, Any]]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
        if self.thoughts is None:
            return deltas + [{"content": piece} for piece in _pieces(text)]
        for thought, words in re.findall(r"<think>(.*?)(?:</think>|\Z)|([^<]+)", text, re.DOTALL):
            if self.thoughts == "list":
                part = {"type": "thinking", "thinking": [{"type": "text", "text": thought}]}
                deltas.append({"content": [part] if thought else [{"type": "text", "text": words}]})
            else:
                deltas += [{self.thoughts: piece} for piece in _pieces(thought)]
                deltas += [{"content": piece} for piece in _pieces(words)]
        return deltas

    def _completion(self, body: dict[str, Any]) -> web.StreamResponse:
        """As vLLM: by ids, spelled out, up to a stop string."""
        if refusal := self.refusal(len(body["prompt"]), body["max_tokens"]):
            return refusal
        prompt = "".join(map(chr, body["prompt"]))
        *turns, begun = prompt.split("</>")
        question, begun = turns[-1].rpartition("<user>")[2], begun.removeprefix("<assistant>")
        whole = self.script(question, body["seed"] if body["temperature"] else 0)
        assert whole.startswith(begun), (whole, begun)
        text, finish, stop = whole[len(begun) :], "stop", None
        for end in range(1, len(text) + 1):
            stop = next((string for string in body.get("stop", []) if text[:end].endswith(string)), None)
            if stop is not None or end == body["max_tokens"]:
                text, finish = text[:end], "stop" if stop is not None else "length"
                break
        ids = [*map(ord, text), *([0] if finish == "stop" and stop is None else [])]
        tokens = list(map(chr, ids))
        tops = [{token: -0.25, "X": -1.5} for token in tokens]
        choice = {"text": "".join(tokens), "finish_reason": finish, "stop_reason": stop, "token_ids": ids}
        if body.get("logprobs") is not None and self.spells:
            choice["logprobs"] = {"tokens": tokens, "top_logprobs": tops}
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": len(ids)}
        return web.json_response({"choices": [choice], **({"usage": usage} if self.counts else {})})

    async def _tokenize(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.tokenized.append(body)
        if not self.tokenizes:
            return web.Response(status=404)
        text = body["prompt"] if "prompt" in body else rendered(body["messages"])
        if "messages" in body and not body["add_generation_prompt"]:
            text = text.removesuffix("<assistant>")
        tokens = self.tokens(text)
        spelled = {"token_strs": list(map(self.spell, tokens))} if body.get("return_token_strs") else {}
        return web.json_response({"tokens": tokens, **spelled})

    async def _detokenize(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"prompt": "".join(map(self.spell, (await request.json())["tokens"]))})

    def tokens(self, text: str) -> list[int]:
        """Its tokenizer."""
        return list(map(ord, text))

    def spell(self, token: int) -> str:
        """What a token says."""
        return chr(token)


def rendered(messages: Sequence[Mapping[str, Any]]) -> str:
    """The chat template: what the model reads before its own turn."""
    return "".join(f"<{turn['role']}>{turn['content']}</>" for turn in messages) + "<assistant>"


def _pieces(text: str) -> list[str]:
    return [text[begin : begin + 3] for begin in range(0, len(text), 3)]


def _spelled(letter: str) -> dict[str, Any]:
    other = {"y": "n", "n": "y"}.get(letter, "X")
    tops = [{"token": letter, "logprob": -0.25}, {"token": other, "logprob": -1.5}]
    return {"token": letter, "logprob": -0.25, "top_logprobs": tops}
