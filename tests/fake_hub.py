"""The Hugging Face hub on this machine: what an upload asks of it, and what it keeps."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.local_server import LocalServer

WEIGHTS = ".safetensors"


class FakeHub(LocalServer):
    """Repositories by name, each with its files; weights come by Git LFS, everything else within the commit.

    It knows the token ``token``. ``asked`` lists the paths of the requests, ``created`` what was asked of new
    repositories. Where it wants the token, it works off ``faults``, a status each, before it answers properly.
    """

    def __init__(self, token: str, *repositories: str) -> None:
        self.token = token
        self.files: dict[str, dict[str, bytes]] = {name: {} for name in repositories}
        self.created: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.faults: list[int] = []
        self._large: dict[str, bytes] = {}

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=1 << 26)
        app.router.add_post("/api/repos/create", self._create)
        app.router.add_post("/api/validate-yaml", self._validate)
        app.router.add_post("/api/models/{owner}/{name}/preupload/main", self._preupload)
        app.router.add_post("/api/models/{owner}/{name}/commit/main", self._commit)
        app.router.add_post("/{owner}/{name}.git/info/lfs/objects/batch", self._batch)
        app.router.add_put("/lfs/{oid}", self._put)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        with_key = request.path.startswith(("/api/repos", "/api/models"))
        if with_key and self.faults:
            return web.Response(status=self.faults.pop(0))
        if with_key and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "Invalid username or password."}, status=401)
        if with_key and "owner" in request.match_info and self._name(request) not in self.files:
            missing = {"X-Error-Code": "RepoNotFound"}
            return web.json_response({"error": "Repository not found"}, status=404, headers=missing)
        response: web.StreamResponse = await handler(request)
        return response

    def _name(self, request: web.Request) -> str:
        return f"{request.match_info['owner']}/{request.match_info['name']}"

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.created.append(body)
        name = f"{body['organization']}/{body['name']}"
        url = {"url": f"{self.url}/{name}"}
        if name in self.files:
            return web.json_response({"error": "You already created this model repo", **url}, status=409)
        self.files[name] = {}
        return web.json_response(url)

    async def _validate(self, request: web.Request) -> web.Response:
        await request.json()
        return web.json_response({"warnings": [], "errors": []})

    async def _preupload(self, request: web.Request) -> web.Response:
        files = (await request.json())["files"]
        modes = [
            {
                "path": f["path"],
                "uploadMode": "lfs" if f["path"].endswith(WEIGHTS) else "regular",
                "shouldIgnore": False,
            }
            for f in files
        ]
        return web.json_response({"files": modes})

    async def _batch(self, request: web.Request) -> web.Response:
        objects = [
            {**each, "actions": {"upload": {"href": f"{self.url}/lfs/{each['oid']}"}}}
            for each in (await request.json())["objects"]
        ]
        return web.json_response({"transfer": "basic", "objects": objects})

    async def _put(self, request: web.Request) -> web.Response:
        content = await request.read()
        assert hashlib.sha256(content).hexdigest() == request.match_info["oid"]
        self._large[request.match_info["oid"]] = content
        return web.Response()

    async def _commit(self, request: web.Request) -> web.Response:
        repository = self.files[self._name(request)]
        for line in (await request.read()).splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                assert value["encoding"] == "base64"
                repository[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                repository[value["path"]] = self._large[value["oid"]]
        commit = f"{self.url}/{self._name(request)}/commit/{'0' * 40}"
        return web.json_response({"success": True, "commitOid": "0" * 40, "commitUrl": commit})


class ReadableHub(LocalServer):
    """Models that can be downloaded: for each id the files of each commit, and where its branches and tags point.

    ``gated`` are ids that it gives to nobody. ``asked`` lists the paths of the requests.
    """

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.refs: dict[str, dict[str, str]] = {}
        self.gated: set[str] = set()
        self.asked: list[str] = []

    def put(self, id: str, folder: Path, *refs: str) -> str:
        """Commit the files of a folder, let refs point there, and return the commit."""
        files = {file.name: file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()}
        commit = hashlib.sha1(b"".join(files.values())).hexdigest()
        self.commits.setdefault(id, {})[commit] = files
        self.refs.setdefault(id, {}).update(dict.fromkeys(refs or ("main",), commit))
        return commit

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/api/models/{owner}/{name}/revision/{revision}", self._info)
        app.router.add_get("/api/models/{owner}/{name}/tree/{revision}", self._tree)
        app.router.add_get("/api/models/{owner}/{name}", self._info)
        app.router.add_get("/{owner}/{name}/resolve/{revision}/{file}", self._file)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        id = f"{request.match_info.get('owner')}/{request.match_info.get('name')}"
        if id in self.gated:
            return web.json_response({"error": "gated"}, status=403, headers={"X-Error-Code": "GatedRepo"})
        if id not in self.commits:
            return web.json_response({"error": "no"}, status=404, headers={"X-Error-Code": "RepoNotFound"})
        if self._commit(request)[1] not in self.commits[id]:
            return web.json_response({"error": "no"}, status=404, headers={"X-Error-Code": "RevisionNotFound"})
        response: web.StreamResponse = await handler(request)
        return response

    def _commit(self, request: web.Request) -> tuple[str, str]:
        id = f"{request.match_info['owner']}/{request.match_info['name']}"
        revision = request.match_info.get("revision", "main")
        return id, self.refs[id].get(revision, revision)

    def _files(self, request: web.Request) -> dict[str, bytes]:
        id, commit = self._commit(request)
        return self.commits[id][commit]

    async def _info(self, request: web.Request) -> web.Response:
        id, commit = self._commit(request)
        files = [{"rfilename": name} for name in self._files(request)]
        return web.json_response({"id": id, "sha": commit, "siblings": files})

    async def _tree(self, request: web.Request) -> web.Response:
        entries = [
            {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for name, content in self._files(request).items()
        ]
        return web.json_response(entries)

    async def _file(self, request: web.Request) -> web.Response:
        content = self._files(request).get(request.match_info["file"])
        if content is None:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        told = {"X-Repo-Commit": self._commit(request)[1], "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        return web.Response(body=content, headers=told)
