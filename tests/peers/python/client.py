"""The official Python client as a command: `client.py URL ERA [BROWSER...]`, steps as JSON on standard input, one JSON line a
step. If there is a browser, a command that is given a URL and where it leads in the end, the client may log in.

A step is {"list": true} or {"call": NAME, "arguments": {...}}; its line is {"tools": [...]}, {"isError": ..., "text": ...}
or {"error": ...}. The last line tells the protocol version.
"""

import asyncio
import json
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
import mcp
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

OWN_URL = "http://127.0.0.1:9/callback"


async def step(client, step):
    if step.get("list"):
        return {"tools": [tool.name for tool in (await client.list_tools()).tools]}
    result = await client.call_tool(step["call"], step.get("arguments", {}))
    text = "".join(getattr(block, "text", "") for block in result.content)
    return {"isError": bool(result.is_error), "text": text}


class Login:
    """Keeps what the SDK asks to be kept, and plays the browser."""

    def __init__(self, url, browser):
        self.browser, self.kept = browser, {}
        metadata = OAuthClientMetadata(
            client_name="reeve-tests", redirect_uris=[OWN_URL], token_endpoint_auth_method="none"
        )
        self.provider = OAuthClientProvider(url, metadata, self, self.visit, self.callback)

    async def get_tokens(self):
        return self.kept.get("tokens")

    async def set_tokens(self, tokens):
        self.kept["tokens"] = tokens

    async def get_client_info(self):
        return self.kept.get("client")

    async def set_client_info(self, client):
        self.kept["client"] = client

    async def visit(self, url):
        led = subprocess.run([*self.browser, url, OWN_URL], check=True, capture_output=True, text=True).stdout
        self.kept["callback"] = {name: values[0] for name, values in parse_qs(urlsplit(led.strip()).query).items()}

    async def callback(self):
        callback = self.kept["callback"]
        if "error" in callback:
            raise RuntimeError(f"{callback['error']}: {callback.get('error_description')}")
        return AuthorizationCodeResult(code=callback["code"], state=callback["state"], iss=callback.get("iss"))


def connection(url, browser):
    if not browser:
        return url
    return streamable_http_client(url, http_client=httpx2.AsyncClient(auth=Login(url, browser).provider, timeout=60))


async def main(url, era, *browser):
    mode = {"legacy": "legacy", "modern": "2026-07-28"}[era]
    async with mcp.Client(connection(url, browser), mode=mode) as client:
        for wanted in json.load(sys.stdin):
            try:
                print(json.dumps(await step(client, wanted)), flush=True)
            except Exception as error:  # the test reads what went wrong
                print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        print(json.dumps({"protocol": str(client.protocol_version)}), flush=True)


asyncio.run(main(*sys.argv[1:]))
