"""A GitHub API on this machine for the real `gh`: logins, permissions, forks, issues, pull requests over bare repositories.

`GH_HOST=github.localhost` makes gh speak plain HTTP to api.github.localhost, and `http_proxy` brings that here, so no
name has to resolve and no port is fixed: give `environment()` to whatever runs gh. By hand:
`python -m tests.standins.github --folder DIR --repo acme/app --no-push --issue acme/app#15 "Title" "Body"`.
"""

import argparse
import json
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HOST = "github.localhost"
LONG_AGO = "2020-01-01T00:00:00Z"


@dataclass
class Repository:
    """One repository. `push`: the login may push to it."""

    owner: str
    name: str
    path: Path
    push: bool = True
    parent: str = ""
    created_at: str = LONG_AGO
    issues: dict[int, tuple[str, str]] = field(default_factory=dict)
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"


@dataclass
class GitHub:
    """The server; a context manager. Bare repositories lie in `folder` as OWNER/NAME.git, forks are made there."""

    folder: Path
    login: str = "agent"
    token: str = "gh-token"
    address: str = "127.0.0.1"
    port: int = 0
    git_base: str = ""  # what clone URLs begin with; empty: the folder
    repositories: dict[str, Repository] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)  # `METHOD path` of every request

    def __post_init__(self) -> None:
        handler = type("Handler", (_Handler,), {"github": self})
        self._server = ThreadingHTTPServer((self.address, self.port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._numbers = iter(range(100, 10_000))
        self._lock = threading.Lock()

    def environment(self, *, token: str | None = None) -> dict[str, str]:
        """What makes gh come here, logged in; an empty `token`: not logged in."""
        proxy = f"http://{self.address}:{self.port}"
        return {"GH_HOST": HOST, "GH_TOKEN": self.token if token is None else token, "http_proxy": proxy}

    def add(self, full_name: str, *, push: bool = True) -> Repository:
        """A new repository: an empty bare one, unless there is one in the folder."""
        owner, name = full_name.split("/")
        made = Repository(owner, name, self.folder / owner / f"{name}.git", push)
        if not made.path.exists():
            _git("init", "--quiet", "--bare", "--initial-branch=main", str(made.path))
        self.repositories[full_name] = made
        return made

    def fork(self, full_name: str) -> Repository:
        """The login's fork, made if it is none yet."""
        with self._lock:
            parent = self.repositories[full_name]
            path = self.folder / self.login / f"{parent.name}.git"
            if not path.exists():
                _git("clone", "--quiet", "--bare", str(parent.path), str(path))
            name = f"{self.login}/{parent.name}"
            # By its age gh tells one that it made from one that was there.
            known = self.repositories.get(name)
            created = LONG_AGO if known else datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self.repositories[name] = Repository(self.login, parent.name, path, True, full_name, created)
            return self.repositories[name]

    def rest(self, repository: Repository) -> dict[str, Any]:
        """A repository as the REST API tells of it."""
        base = self.git_base or str(self.folder)
        told: dict[str, Any] = {
            "name": repository.name,
            "full_name": repository.full_name,
            "owner": {"login": repository.owner},
            "html_url": f"http://{HOST}/{repository.full_name}",
            "clone_url": f"{base}/{repository.full_name}.git",
            "ssh_url": f"{base}/{repository.full_name}.git",
            "default_branch": _default_branch(repository),
            "permissions": {"admin": repository.push, "push": repository.push, "pull": True},
            "fork": bool(repository.parent),
            "created_at": repository.created_at,
        }
        if repository.parent:
            told["parent"] = self.rest(self.repositories[repository.parent])
        return told

    def graph(self, repository: Repository) -> dict[str, Any]:
        """A repository as the GraphQL API tells of it."""
        return {
            "id": f"R_{repository.full_name}",
            "name": repository.name,
            "owner": {"login": repository.owner},
            "hasIssuesEnabled": True,
            "viewerPermission": "WRITE" if repository.push else "READ",
            "defaultBranchRef": {"name": _default_branch(repository)},
            "parent": self.graph(self.repositories[repository.parent]) if repository.parent else None,
            "mergeCommitAllowed": True,
            "rebaseMergeAllowed": True,
            "squashMergeAllowed": True,
        }

    def query(self, query: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The `data` of a GraphQL answer. Raises LookupError for what is not there."""
        if "UserCurrent" in query:
            return {"viewer": {"login": self.login}}
        if "createPullRequest" in query:
            return self._create(given["input"])
        if "RepositoryNetwork" in query:
            names = re.findall(r'(\w+): repository\(owner: "([^"]+)", name: "([^"]+)"\)', query)
            found = {key: self.repositories.get(f"{owner}/{name}") for key, owner, name in names}
            repositories = {key: self.graph(one) if one else None for key, one in found.items()}
            return {"viewer": {"login": self.login}, **repositories}
        repository = self.repositories[f"{given['owner']}/{given.get('repo') or given.get('name')}"]
        data = self.graph(repository)
        if "IssueByNumber" in query:
            title, body = repository.issues[given["number"]]
            data["issue"] = {
                "__typename": "Issue",
                "id": "I_1",
                "title": title,
                "body": body,
                "comments": {"nodes": []},
            }
        elif "PullRequestByNumber" in query:
            data["pullRequest"] = repository.pulls[given["pr_number"]]
        elif "PullRequestForBranch" in query:
            nodes = [pull for pull in repository.pulls.values() if pull["headRefName"] == given["headRefName"]]
            data["pullRequests"] = {"nodes": nodes}
        return {"repository": data}

    def _create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        repository = self.repositories[given["repositoryId"].removeprefix("R_")]
        with self._lock:
            number = next(self._numbers)
        owner, colon, branch = given["headRefName"].rpartition(":")
        pull = {
            "id": f"PR_{number}",
            "number": number,
            "url": f"http://{HOST}/{repository.full_name}/pull/{number}",
            "state": "OPEN",
            "title": given["title"],
            "body": given["body"],
            "isDraft": bool(given.get("draft")),
            "baseRefName": given["baseRefName"],
            "headRefName": branch,
            "headRepositoryOwner": {"login": owner if colon else repository.owner},
            "isCrossRepository": bool(colon),
        }
        repository.pulls[number] = pull
        return {"createPullRequest": {"pullRequest": pull}}

    def __enter__(self) -> "GitHub":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    github: GitHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        text = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = urlsplit(self.path).path  # a proxy is asked for a whole URL
        self.github.seen.append(f"{method} {path}")
        if self.headers.get("authorization", "").split()[-1:] != [self.github.token]:
            self._say(401, {"message": "Bad credentials"})
            return
        try:
            self._say(200, self._find(method, path, json.loads(text or b"{}")))
        except LookupError as error:
            if path == "/graphql":
                why = {"type": "NOT_FOUND", "path": [], "message": f"Could not resolve to {error}."}
                self._say(200, {"data": {}, "errors": [why]})
            else:
                self._say(404, {"message": "Not Found"})

    def _find(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        github = self.github
        words = path.strip("/").split("/")
        match method, words:
            case "POST", ["graphql"]:
                return {"data": github.query(body["query"], body.get("variables") or {})}
            case "GET", [""]:
                return {}
            case "GET", ["user"]:
                return {"login": github.login, "id": 1}
            case "GET", ["repos", owner, name]:
                return github.rest(github.repositories[f"{owner}/{name}"])
            case "POST", ["repos", owner, name, "forks"]:
                return github.rest(github.fork(f"{owner}/{name}"))
            case "GET", ["repos", owner, name, "pulls", number]:
                return github.repositories[f"{owner}/{name}"].pulls[int(number)]
        raise LookupError(path)

    def _say(self, status: int, payload: Mapping[str, Any]) -> None:
        data = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("x-oauth-scopes", "repo, read:org, gist")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: standard error belongs to the tests."""


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()


def _default_branch(repository: Repository) -> str:
    return _git("-C", str(repository.path), "symbolic-ref", "--short", "HEAD")


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.standins.github")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--repo", default="acme/app")
    parser.add_argument("--no-push", action="store_true")
    parser.add_argument("--issue", nargs=3, metavar=("NUMBER", "TITLE", "BODY"))
    arguments = parser.parse_args()
    with GitHub(arguments.folder, port=arguments.port) as github:
        repository = github.add(arguments.repo, push=not arguments.no_push)
        if arguments.issue:
            number, title, body = arguments.issue
            repository.issues[int(number)] = (title, body)
        print(" ".join(f"{key}={value}" for key, value in github.environment().items()), flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("\n".join(github.seen), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
