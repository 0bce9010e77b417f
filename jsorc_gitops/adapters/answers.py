"""What an API server's answer says: an object, or an error in one line that names what would help."""

import json
from typing import Any

from jsorc_gitops.errors import ClusterError

Answer = dict[str, Any]

OK = 200
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, GONE, TOO_MANY = 401, 403, 404, 409, 410, 429

# An apply that creates asks for both.
_VERBS = {"POST": ("create",), "PUT": ("update",), "PATCH": ("patch", "create"), "DELETE": ("delete",)}


def parse_answer(status: int, data: bytes, *, method: str, path: str) -> Answer:
    """The object that was answered; raises ClusterError for anything else."""
    try:
        answer = json.loads(data)
    except ValueError:
        answer = None
    if status < 300 and isinstance(answer, dict):  # noqa: PLR2004 - HTTP's own number
        return answer
    if not isinstance(answer, dict):
        answer = {}
    details, message = answer.get("details") or {}, str(answer.get("message") or "")
    if status == FORBIDDEN and (rule := name_rule(method, path, message)):
        message = f"{message.rstrip('.')}; it takes {rule}"
    if status == UNAUTHORIZED:
        message = "the API server does not accept these credentials (401)"
    if "system:anonymous" in message:
        message = f"the kubeconfig gave no credentials: {message}"
    raise ClusterError(
        message or f"{method} {path}: answered {status}, not as an API server does",
        status=status,
        reason=answer.get("reason") or "",
        causes=tuple(details.get("causes") or ()),
    )


def name_rule(method: str, path: str, message: str) -> str:
    """The RBAC rule that a request was refused for want of; "" where a quota or an admission rule refused it.

    Both are a 403 with the same reason, so of a write the text has to tell which it was. A text that is not
    understood costs the hint, no more.
    """
    _, _, rest = path.strip("/").partition("/")
    group, rest = rest.split("/", 1) if path.startswith("/apis/") and "/" in rest else ("", rest)
    parts = rest.split("/")[1:]
    if not parts:
        return ""
    scope = "ClusterRole"
    if parts[0] == "namespaces" and len(parts) > 2:  # noqa: PLR2004 - namespaces/NAME is the Namespace itself
        scope, parts = f"Role in namespace {parts[1]}", parts[2:]
    verbs = _VERBS.get(method) or ("get" if len(parts) > 1 else "list", "watch")
    said = [verb for verb in verbs if f"cannot {verb} resource" in message]
    if method != "GET" and not said:
        return ""
    verb = said[0] if said else verbs[0]
    return f'a {scope} with apiGroups: ["{group}"], resources: ["{parts[0]}"], verbs: ["{verb}"]'
