"""A web server of one file, run as a process: hf-transfer stops all other threads of its own.

It obeys ``settings.json`` of the folder it is given, read at each request, and lists there in ``served`` where the
ranges began that it served; ``hanging`` is there when it let one hang.
"""

import http.server
import json
import random
import re
import sys
import threading
from pathlib import Path

CONTENT = random.Random(0).randbytes(100_000)
FOREVER = 1 << 60
DEFAULTS = {"ranges": True, "etag": '"1"', "reversed": False, "failures": 0, "fail_from": FOREVER, "hang_from": FOREVER}


class Handler(http.server.BaseHTTPRequestHandler):
    folder: Path
    failed = 0

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        settings = DEFAULTS | json.loads((self.folder / "settings.json").read_text())
        content = CONTENT[::-1] if settings["reversed"] else CONTENT
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if settings["ranges"] else None
        start, end = (int(asked[1]), int(asked[2])) if asked else (0, len(content) - 1)
        probe = (start, end) == (0, 0)
        if self.path != "/file.jsonl":
            self.send_error(404)
        elif not probe and start >= settings["hang_from"]:
            (self.folder / "hanging").touch()
            threading.Event().wait()
        elif not probe and (start >= settings["fail_from"] or Handler.failed < settings["failures"]):
            Handler.failed += 1
            self.send_error(503)
        else:
            if not probe:
                with (self.folder / "served").open("a") as file:
                    file.write(f"{start}\n")
            body = content[start : end + 1]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", settings["etag"])
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
            self.end_headers()
            self.wfile.write(body)


if __name__ == "__main__":
    Handler.folder = Path(sys.argv[1])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
