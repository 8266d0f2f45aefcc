// The TypeScript SDK 1 client as a command; the same contract as client.py of the Python peers. It knows the legacy era only.
import { readFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { connect } from "./login.mjs";
import { run } from "./steps.mjs";

const [url] = process.argv.slice(2);
const client = new Client({ name: "reeve-tests", version: "1.0.0" });
const transport = await connect(client, (options) => new StreamableHTTPClientTransport(new URL(url), options));
await run(client, JSON.parse(readFileSync(0, "utf8")), transport.protocolVersion);
