"""The official Python client as a command: `client.py URL ERA`, steps as JSON on standard input, one JSON line a step.

A step is {"list": true} or {"call": NAME, "arguments": {...}}; its line is {"tools": [...]}, {"isError": ..., "text": ...}
or {"error": ...}. The last line tells the protocol version.
"""

import asyncio
import json
import sys

import mcp


async def step(client, step):
    if step.get("list"):
        return {"tools": [tool.name for tool in (await client.list_tools()).tools]}
    result = await client.call_tool(step["call"], step.get("arguments", {}))
    text = "".join(getattr(block, "text", "") for block in result.content)
    return {"isError": bool(result.is_error), "text": text}


async def main(url, era):
    mode = {"legacy": "legacy", "modern": "2026-07-28"}[era]
    async with mcp.Client(url, mode=mode) as client:
        for wanted in json.load(sys.stdin):
            try:
                print(json.dumps(await step(client, wanted)), flush=True)
            except Exception as error:  # the test reads what went wrong
                print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        print(json.dumps({"protocol": str(client.protocol_version)}), flush=True)


asyncio.run(main(*sys.argv[1:3]))
