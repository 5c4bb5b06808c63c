"""A completions and pooling server on this machine that can be told to misbehave. Its tokens are characters."""

import asyncio
import json
import random
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from tests.local_server import LocalServer

CONTEXT = 4096

OPENAI_WORDS = (
    "This model's maximum context length is {context} tokens. However, you requested {total} tokens ({prompt} in the "
    "messages, {asked} in the completion). Please reduce the length of the messages or completion."
)
SGLANG_WORDS = (
    "Requested token count exceeds the model's maximum context length of {context} tokens. You requested a total of "
    "{total} tokens: {prompt} tokens from the input messages and {asked} tokens for the completion."
)


class Chars:
    """The tokenizer of the fake model: one token a character."""

    def __call__(self, text: str, **options: object) -> Mapping[str, list[int]]:
        return {"input_ids": list(map(ord, text))}

    bos_token = None

    def decode(self, ids: Sequence[int], **options: object) -> str:
        return "".join(map(chr, ids))


class FakeServer(LocalServer):
    """A model that writes letters by lot, fixed by prompt and seed.

    Args:
        owner: ``vllm`` answers token ids, and the stop string that ended them; ``sglang`` does so in words of its own;
            others answer plain text.
        tells_context: whether the list of models says how long a prompt may be.
        context: how many tokens prompt and answer may have together; of SGLang, one less.
        words: what it says of more.

    Before it answers properly it works off ``faults``: a status, bytes to answer with status 200, ``hang``, ``drop`` or
    ``half``, an answer that breaks off. With a status it may say when to come again (``retry_after``).
    """

    def __init__(
        self,
        *,
        owner: str = "llamacpp",
        models: Sequence[str] = ("m",),
        tells_context: bool = False,
        context: int = CONTEXT,
        words: str = OPENAI_WORDS,
    ) -> None:
        self.owner, self.models, self.tells_context = owner, models, tells_context
        self.context, self.words = context, SGLANG_WORDS if owner == "sglang" else words
        self.faults: list[int | bytes | str] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.most_at_once = self._at_once = 0
        self.dropped = threading.Event()
        self.pause = 0.0
        self.retry_after: str | None = None

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/completions", self._complete)
        app.router.add_post("/generate", self._complete)
        app.router.add_post("/pooling", self._pool)
        return app

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers.get("Authorization"))
        if fault := await self._fault(request):
            return fault
        length = {"max_model_len": self.context} if self.tells_context else {}
        return web.json_response({"data": [{"id": name, "owned_by": self.owner, **length} for name in self.models]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(self.pause)
            return await self._fault(request) or await self._write(request, body)
        except asyncio.CancelledError:
            self.dropped.set()
            raise
        finally:
            self._at_once -= 1

    async def _pool(self, request: web.Request) -> web.StreamResponse:
        """Rows of one logit: token modulo 7, less 3."""
        body = await request.json()
        self.asked.append(body)
        rows = [[token % 7 - 3.0] for token in body["input"]]
        return await self._fault(request) or web.json_response({"data": [{"index": 0, "data": rows}]})

    async def _fault(self, request: web.Request) -> web.StreamResponse | None:
        if not self.faults:
            return None
        fault = self.faults.pop(0)
        if isinstance(fault, int):
            headers = {"Retry-After": self.retry_after} if self.retry_after is not None else {}
            body = {"error": {"message": f"told to answer {fault}"}}
            return web.json_response(body, status=fault, headers=headers)
        if isinstance(fault, bytes):
            return web.Response(body=fault)
        if fault == "hang":
            await asyncio.sleep(60)
        if fault == "half":
            response = web.StreamResponse(headers={"Content-Length": "100", "Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(b'{"choices": [')
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async def _write(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if "input_ids" in body:
            body = _from_sglang(body)
        ids = body["prompt"] if isinstance(body["prompt"], list) else list(map(ord, body["prompt"]))
        if refusal := self.refusal(len(ids), body["max_tokens"]):
            return refusal
        lot = random.Random(f"{ids}{body['seed'] if body['temperature'] else ''}")
        text, finish = "", "length"
        while len(text) < body["max_tokens"] and finish == "length":
            letter = lot.choice("abcdefg .\n$")
            text, finish = (text, "stop") if letter == "$" else (text + letter, "length")
        if body.get("stream"):
            return await self._stream(request, text, finish)
        reply = self._reply(body, ids, text, finish)
        return web.json_response(_to_sglang(reply) if self.owner == "sglang" else reply)

    def refusal(self, prompt: int, asked: int) -> web.Response | None:
        """What it answers where a prompt of so many tokens leaves no room for those that are asked for."""
        if prompt + asked <= self.context - (self.owner == "sglang"):
            return None
        said = self.words.format(context=self.context, total=prompt + asked, prompt=prompt, asked=asked)
        return web.json_response({"error": {"message": said}}, status=400)

    def _reply(self, body: dict[str, Any], ids: list[int], text: str, finish: str) -> dict[str, Any]:
        stop = next((string for string in body.get("stop", []) if string in text), None)
        if stop is not None:
            text, finish = text[: text.index(stop) + len(stop)], "stop"
        sampled = [*map(ord, text), *([0] if finish == "stop" and stop is None else [])]
        choice: dict[str, Any] = {"text": text, "finish_reason": finish}
        if self.owner in ("vllm", "sglang"):
            choice |= {"token_ids": sampled, "stop_reason": stop}
        if body.get("logprobs"):
            tops = {text[:1] or "$": -0.25, "X": -1.5}
            if body.get("return_tokens_as_token_ids"):
                tops = {f"token_id:{ord(token)}": value for token, value in tops.items()}
            choice["logprobs"] = {"top_logprobs": [dict(list(tops.items())[: body["logprobs"]])]}
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(sampled)}
        return {"choices": [choice], "usage": usage}

    async def _stream(self, request: web.Request, text: str, finish: str) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for begin in range(0, len(text), 3):
            choice = {"text": text[begin : begin + 3], "finish_reason": None}
            await response.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
        end = {"choices": [{"text": "", "finish_reason": finish}]}
        await response.write(f"data: {json.dumps(end)}\n\ndata: [DONE]\n\n".encode())
        return response


def _from_sglang(body: dict[str, Any]) -> dict[str, Any]:
    """The request in the words of completions."""
    asked = body["sampling_params"]
    assert asked["no_stop_trim"]
    assert not asked["skip_special_tokens"]
    return {
        "prompt": body["input_ids"],
        "max_tokens": asked["max_new_tokens"],
        "temperature": asked["temperature"],
        "seed": asked["sampling_seed"],
        "stop": asked.get("stop", []),
        "logprobs": body["top_logprobs_num"] if body.get("return_logprob") else None,
    }


def _to_sglang(reply: dict[str, Any]) -> dict[str, Any]:
    """The answer in SGLang's words; 0 ends a sequence."""
    (choice,) = reply["choices"]
    matched = choice["stop_reason"] if choice["stop_reason"] is not None else 0
    reason = {"type": "length"} if choice["finish_reason"] == "length" else {"type": "stop", "matched": matched}
    meta = reply["usage"] | {"finish_reason": reason, "cached_tokens": 0}
    if choice.get("logprobs"):
        tops = choice["logprobs"]["top_logprobs"][0]
        meta["output_top_logprobs"] = [[[value, ord(text), None] for text, value in tops.items()]]
    return {"text": choice["text"], "output_ids": choice["token_ids"], "meta_info": meta}
