"""AWS' HealthImaging MCP server over Streamable HTTP: `healthimaging.py PORT HOST`."""

import sys

from awslabs.healthimaging_mcp_server.server import app

app.run(transport="streamable-http", host=sys.argv[2], port=int(sys.argv[1]))
