"""A server on the Python SDK itself with a few tools, both eras: `plain.py PORT`.

Each tool says on standard error that it ran, and with what.
"""

import json
import sys

import changing
from mcp.server import MCPServer
from mcp.server.caching import CacheHint
from mcp.server.mcpserver.resources import ResourceSecurity
from mcp_types import ToolAnnotations

KEPT_BY_ALL = {"tools/list": CacheHint(ttl_ms=changing.KEPT * 1000, scope="public")}
server = MCPServer("plain", cache_hints=KEPT_BY_ALL if changing.CHANGES else None)


def ran(tool: str, given: object) -> None:
    """Says so, at once."""
    print(f"ran {tool} {json.dumps(str(given))[:64]}", file=sys.stderr, flush=True)


@server.tool()
def echo(message: str) -> str:
    """Answers with the message."""
    ran("echo", message)
    return f"Echo: {message}"


@server.tool()
def add(a: float, b: float) -> float:
    """Adds two numbers."""
    ran("add", a)
    return a + b


@server.tool()
def delete_everything(token: str = "") -> str:
    """Deletes every datastore."""
    ran("delete_everything", token)
    return "deleted"


if changing.CHANGES:
    decides_itself = ResourceSecurity(exempt_params={"path"})
    server.resource("file:///notes/{+path}", security=decides_itself)(changing.note)
    changing.register(
        lambda function, name, description, annotations: server.add_tool(
            function,
            name=name,
            description=description,
            annotations=annotations and ToolAnnotations.model_validate(annotations),
        ),
        server.remove_tool,
        ran,
    )
server.run(transport="streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
