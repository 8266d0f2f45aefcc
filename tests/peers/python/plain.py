"""A server on the Python SDK itself with a few tools, both eras: `plain.py PORT`.

Each tool says on standard error that it ran, and with what.
"""

import json
import sys

from mcp.server import MCPServer

server = MCPServer("plain")


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


server.run(transport="streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
