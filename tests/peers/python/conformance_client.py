"""A client on the official Python SDK that does what the conformance suite's scenario asks of a client.

`conformance_client.py URL`, the scenario in MCP_CONFORMANCE_SCENARIO and what it needs in MCP_CONFORMANCE_CONTEXT.
"""

import asyncio
import json
import os
import sys

import anyio
import mcp
import mcp_types


async def call(client, name, arguments):
    await client.list_tools()
    return await client.call_tool(name, arguments)


async def standard_headers(client):
    for tool in (await client.list_tools()).tools:
        await client.call_tool(tool.name, {})
    for resource in (await client.list_resources()).resources:
        await client.read_resource(str(resource.uri))
    for prompt in (await client.list_prompts()).prompts:
        await client.get_prompt(prompt.name)


async def custom_headers(client):
    await client.list_tools()
    for wanted in json.loads(os.environ["MCP_CONFORMANCE_CONTEXT"])["toolCalls"]:
        await client.call_tool(wanted["name"], wanted["arguments"])


async def listed_tools(client):
    # A client calls what it lists; whether it lists tools with bad annotations is what the scenario looks at.
    for tool in (await client.list_tools()).tools:
        await client.call_tool(tool.name, {"region": "us-west1"})


async def rounds(client):
    await client.list_tools()
    async with anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "test_mrtr_echo_state", {})
        group.start_soon(client.call_tool, "test_mrtr_unrelated", {})
    await client.call_tool("test_mrtr_no_state", {})
    try:
        await client.call_tool("test_mrtr_no_result_type", {})
    except ValueError:
        pass  # Its result has no resultType, which this SDK takes for a mistake of the server.


async def preserved_schema(client):
    tools = (await client.list_tools()).tools
    schema = next(tool.input_schema for tool in tools if tool.name == "json_schema_2020_12_tool")
    await client.call_tool("json_schema_echo", {"schema": schema})


SCENARIOS = {
    "initialize": lambda client: client.list_tools(),
    "tools_call": lambda client: call(client, "add_numbers", {"a": 5, "b": 3}),
    "sse-retry": lambda client: call(client, "test_reconnection", {}),
    "elicitation-sep1034-client-defaults": lambda client: call(client, "test_client_elicitation_defaults", {}),
    "request-metadata": lambda client: client.list_tools(),
    "http-standard-headers": standard_headers,
    "http-custom-headers": custom_headers,
    "http-invalid-tool-headers": listed_tools,
    "sep-2322-client-request-state": rounds,
    "json-schema-ref-no-deref": lambda client: client.list_tools(),
    "json-schema-2020-12-preservation": preserved_schema,
}


async def accept_defaults(_context, params):
    properties = getattr(params, "requested_schema", {}).get("properties", {})
    content = {name: schema["default"] for name, schema in properties.items() if "default" in schema}
    return mcp_types.ElicitResult(action="accept", content=content)


async def main(url):
    # Where the suite names no version it is of the time before the modern era. A scenario of that era sees the client's
    # choice by itself, too, but for the first request.
    modern = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION") == "2026-07-28"
    mode = "auto" if modern else "legacy"
    async with mcp.Client(url, mode=mode, elicitation_callback=accept_defaults) as client:
        await SCENARIOS[os.environ["MCP_CONFORMANCE_SCENARIO"]](client)


asyncio.run(main(sys.argv[1]))
