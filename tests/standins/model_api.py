"""A model API on this machine: enough of OpenAI's Responses and Anthropic's Messages for the real codex and claude.

What it answers is chosen by the last `stand-in:` line of the prompt (tests/standins/script.py): a shell command as tool
call, then the final answer; or one of the faults. `python -m tests.standins.model_api --port 8700` serves by hand.
"""

import argparse
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.standins import anthropic, openai
from tests.standins.script import COMMANDS, Script, answer, parse

Events = Iterator[Mapping[str, Any]]


@dataclass
class Seen:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass
class ModelApi:
    """The server; a context manager. `behaviour` is for prompts without a `stand-in:` line."""

    port: int = 0
    behaviour: str = ""
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        api = self

        class Handler(_Handler):
            pass

        Handler.api = api
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        """Without `/v1`."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self) -> None:
        """Answer until `close`."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """End, and let go whoever hangs."""
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "ModelApi":
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def script(self, said: str) -> Script:
        """What to do for what the user said."""
        return parse(said if "stand-in:" in said or not self.behaviour else f"stand-in: {self.behaviour}")


class _Handler(BaseHTTPRequestHandler):
    api: ModelApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(200, {"data": [], "models": [], "object": "list"})

    def do_HEAD(self) -> None:
        self._say(200, {})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        body = json.loads(text or b"{}")
        self.api.seen.append(Seen(path, dict(self.headers), body))
        if path.endswith("/responses"):
            self._turn(openai, body)
        elif path.endswith("/messages"):
            self._turn(anthropic, body)
        elif path.endswith("/count_tokens"):
            self._say(200, {"input_tokens": 100})
        else:
            self._say(404, {"error": {"message": f"nothing here: {path}"}})

    def _turn(self, protocol: Any, body: Mapping[str, Any]) -> None:
        """One call of the model: a fault, a tool call, or the end."""
        script = self.api.script(protocol.said(body))
        if fault := protocol.fault(script):
            status, headers, payload = fault
            self._say(status, payload, headers)
            return
        for step, seconds in script.steps:
            if step == "slow":
                self.api.ended.wait(seconds)
        command = " && ".join(COMMANDS[step] for step, _ in script.steps if step in COMMANDS)
        if command and not protocol.worked(body):
            events = protocol.tool_call(command)
        elif script.end == "hang":
            self._begin("text/event-stream")
            self.api.ended.wait(600)
            return
        elif script.end in ("empty", "garbage"):
            events = protocol.final(body, "" if script.end == "empty" else "I am done, have a nice day {")
        else:
            events = protocol.final(body, answer(script))
        self._begin("text/event-stream")
        for event in events:
            self._chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        self._chunk(b"")

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _say(self, status: int, payload: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        data = b"" if self.command == "HEAD" else json.dumps(payload).encode()
        self.send_response(status)
        for key, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: standard error belongs to the tests."""


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.standins.model_api", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--behaviour", default="", help="for prompts without a `stand-in:` line")
    arguments = parser.parse_args()
    api = ModelApi(arguments.port, arguments.behaviour)
    print(api.url, flush=True)
    try:
        api.serve()
    except KeyboardInterrupt:
        print(f"{len(api.seen)} requests", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
