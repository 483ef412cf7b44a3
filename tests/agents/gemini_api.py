"""A Gemini API on this machine, as far as gemini needs it to be recorded; told what to do as the model API is."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.standins.script import answer, parse

TYPE = "type.googleapis.com/google.rpc."
QUOTA = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "50"}
RETRY = {"@type": f"{TYPE}RetryInfo", "retryDelay": "1s"}
BAD_KEY = {"@type": f"{TYPE}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
FAULTS = {
    "429": (429, "RESOURCE_EXHAUSTED", "Too many requests.", [RETRY]),
    "429-later": (429, "RESOURCE_EXHAUSTED", "Too many requests.", [{**RETRY, "retryDelay": "86400s"}]),
    "quota": (
        *(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota."),
        [{"@type": f"{TYPE}QuotaFailure", "violations": [QUOTA]}, {**RETRY, "retryDelay": "7200s"}],
    ),
    "401": (401, "UNAUTHENTICATED", "API keys are not supported by this API.", []),
    "bad-key": (400, "INVALID_ARGUMENT", "API key not valid.", [BAD_KEY]),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        if "stand-in: bad-key" in text:
            end, said = "bad-key", ""
        else:
            script = parse(text)
            end = script.end
            said = {"empty": "", "garbage": "I am done, have a nice day {"}.get(end, json.dumps(answer(script)))
            if "fenced=1" in text:
                said = f"I am done:\n\n```json\n{said}\n```\n"
        if end in FAULTS:
            code, status, message, details = FAULTS[end]
            error = {"code": code, "message": message, "status": status, "details": details}
            self._say(code, json.dumps({"error": error}), "application/json")
        elif end == "hang":
            threading.Event().wait(60)
        elif end in ("success", "tool-hang") and "functionResponse" not in text:
            command = "sleep 7656" if end == "tool-hang" else "echo working"
            self._model({"functionCall": {"name": "run_shell_command", "args": {"command": command}}})
        else:
            self._model({"text": said})

    def _model(self, part: dict[str, Any]) -> None:
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        usage = {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120}
        message = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash"}
        self._say(200, f"data: {json.dumps(message)}\r\n\r\n", "text/event-stream")

    def _say(self, code: int, text: str, kind: str) -> None:
        data = text.encode()
        self.send_response(code)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def serve() -> str:
    """Starts one, for as long as this process lives; returns its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"
