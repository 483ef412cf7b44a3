"""Where a repository is: the URL for people and the one for git, each from the other. Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from reconciler.load.complaint import Complaint, quoted

FORGES = ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org")  # the web address follows from the ssh one
SCHEMES = ("https", "http", "ssh", "git", "file")
SCP_LIKE = re.compile(
    r"(?:(?P<user>[\w.+-]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|\w[\w.-]*):(?P<path>[^/:].*|/.*)\Z", re.ASCII
)


class Urls(NamedTuple):
    """The two addresses of a repository; `repo` is empty when git's tells of none."""

    repo: str
    git: str


def urls(spec: Mapping[str, str]) -> Urls:
    """Take a Project's spec that `complaints` found right, and return both addresses."""
    repo = spec.get("repoUrl", "").rstrip("/").removesuffix(".git")
    git = spec.get("gitUrl", "")
    return Urls(repo or _web(git), git or f"{repo}.git")


def complaints(spec: Mapping[str, str]) -> list[Complaint]:
    """Take a Project's spec that its schema accepts, and return what is wrong with its addresses."""
    if "repoUrl" not in spec and "gitUrl" not in spec:
        hint = "write `repoUrl: https://github.com/OWNER/REPOSITORY`, or `gitUrl:` with what `git clone` takes"
        return [Complaint(("spec", "repoUrl"), "is missing", hint)]
    found = []
    for key, wrong in (("repoUrl", _wrong_web), ("gitUrl", _wrong_git)):
        said = wrong(spec[key]) if key in spec else None
        if said:
            found.append(Complaint(("spec", key), *said))
    fork = spec.get("fork", "never")
    if not found and fork != "never" and "repoUrl" not in spec and spec["gitUrl"].startswith(("/", "file:")):
        message = f"{quoted(fork)} needs a repository on GitHub, and gitUrl is a path on the host"
        found.append(Complaint(("spec", "fork"), message, "give repoUrl, too, or write `fork: never`"))
    return found


def _wrong_web(url: str) -> tuple[str, str] | None:
    parts = _parts(url)
    if parts is None:
        return f'this is no URL, got "{quoted(url)}"', "write `https://HOST/OWNER/REPOSITORY`"
    if "@" in parts.netloc:
        return "the address has a login in it", "leave it out: hosts log in with their own keys, or with a secret"
    names = [name for name in parts.path.split("/") if name]
    if parts.hostname in ("github.com", "www.github.com") and len(names) != 2:
        return (
            f'expected https://github.com/OWNER/REPOSITORY, got "{quoted(url)}"',
            "write its owner and its name, and nothing after them",
        )
    return None


def _wrong_git(url: str) -> tuple[str, str] | None:
    if "://" not in url:
        if url.startswith("/") or SCP_LIKE.match(url):
            return None
        return f'expected a URL or an absolute path, got "{quoted(url)}"', "a path is one on the host; start it with /"
    scheme = url.partition("://")[0].lower()
    if scheme not in SCHEMES:
        return f"{quoted(scheme)}:// is refused", f"use {', '.join(SCHEMES)}, or a path on the host"
    parts = _parts(url)
    if parts is None or (scheme != "file" and not parts.hostname) or (parts.hostname or "").startswith("-"):
        return "this is no URL that git takes", "write for example `https://github.com/OWNER/REPOSITORY.git`"
    if parts.username and parts.username.startswith("-"):
        return "this is no URL that git takes", "the login must not start with -"
    if parts.password is not None:
        return "the URL has a password in it", "leave it out: hosts log in with their own keys, or with a secret"
    return None


def _web(git: str) -> str:
    """The web address that a git URL tells of: of every https one, and of the ssh ones of well-known forges."""
    if "://" in git:
        parts = _parts(git)
        scheme, host, path = (parts.scheme, parts.hostname or "", parts.path) if parts else ("", "", "")
        port = f":{parts.port}" if parts and parts.port and scheme != "ssh" else ""
    else:
        found = SCP_LIKE.match(git)
        scheme, host, path, port = ("ssh", found["host"].lower(), found["path"], "") if found else ("", "", "", "")
    host = {"ssh.github.com": "github.com"}.get(host, host)
    path = path.strip("/").removesuffix(".git")
    if not path or scheme not in ("https", "http", "ssh") or (scheme == "ssh" and host not in FORGES):
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{'http' if scheme == 'http' else 'https'}://{shown}{port}/{path}"


def _parts(url: str) -> "_Parts | None":
    try:
        split = urlsplit(url)
        return _Parts(
            split.scheme, split.netloc, split.path, split.hostname, split.port, split.username, split.password
        )
    except ValueError:
        return None


class _Parts(NamedTuple):
    scheme: str
    netloc: str
    path: str
    hostname: str | None
    port: int | None
    username: str | None
    password: str | None
