"""A fastmcp server with a few tools: `fast.py PORT`."""

import sys

from fastmcp import FastMCP

server = FastMCP("fast")


@server.tool
def echo(message: str) -> str:
    """Answers with the message."""
    return f"Echo: {message}"


@server.tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool
def delete_everything() -> str:
    """Deletes every datastore."""
    return "deleted"


server.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
