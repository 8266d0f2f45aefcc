// The TypeScript SDK 2 client as a command; the same contract as client.py of the Python peers.
import { readFileSync } from "node:fs";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { connect } from "./login.mjs";
import { run } from "./steps.mjs";

const [url, era] = process.argv.slice(2);
const versionNegotiation = era === "modern" ? { mode: { pin: "2026-07-28" } } : undefined;
const client = new Client({ name: "reeve-tests", version: "1.0.0" }, { versionNegotiation });
await connect(client, (options) => new StreamableHTTPClientTransport(new URL(url), options));
await run(client, JSON.parse(readFileSync(0, "utf8")), client.getNegotiatedProtocolVersion());
