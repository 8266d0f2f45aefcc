"""AWS' HealthImaging MCP server over Streamable HTTP: `healthimaging.py PORT`."""

import sys

from awslabs.healthimaging_mcp_server.server import app

app.run(transport="streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
