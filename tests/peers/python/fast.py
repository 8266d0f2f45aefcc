"""A fastmcp server with a few tools: `fast.py PORT`.

Each tool says on standard error that it ran, and with what.
"""

import json
import sys

import changing
from fastmcp import FastMCP

KEPT_BY_ALL = {"cache_ttl": changing.KEPT, "cache_scope": "public"} if changing.CHANGES else {}
server = FastMCP("fast", **KEPT_BY_ALL)


def ran(tool: str, given: object) -> None:
    """Says so, at once."""
    print(f"ran {tool} {json.dumps(str(given))[:64]}", file=sys.stderr, flush=True)


@server.tool
def echo(message: str) -> str:
    """Answers with the message."""
    ran("echo", message)
    return f"Echo: {message}"


@server.tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    ran("add", a)
    return a + b


@server.tool
def delete_everything(token: str = "") -> str:
    """Deletes every datastore."""
    ran("delete_everything", token)
    return "deleted"


if changing.CHANGES:
    server.resource("file:///notes/{path*}")(changing.note)
    changing.register(
        lambda function, name, description, annotations: server.tool(
            function, name=name, description=description, annotations=annotations
        ),
        server.local_provider.remove_tool,
        ran,
    )
server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
