// A server on the TypeScript SDK 2 with all that the conformance suites ask of a server, both eras: `conformance.mjs PORT`.
// The legacy era has sessions and resumable streams, so that the server can ask the client; the modern one is stateless.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import {
  NodeStreamableHTTPServerTransport,
  localhostHostValidation,
  localhostOriginValidation,
  toNodeHandler,
  toWebRequest,
} from "@modelcontextprotocol/node";
import { McpServer, createMcpHandler, createRequestStateCodec, isLegacyRequest } from "@modelcontextprotocol/server";
import { registerPrompts, registerResources } from "./conformance-catalogue.mjs";
import { registerRounds } from "./conformance-rounds.mjs";
import { registerTools } from "./conformance-tools.mjs";
import { registerDangerousTool } from "./tools.mjs";

const states = createRequestStateCodec({ key: randomUUID() + randomUUID() });

function build({ era }) {
  const capabilities = {
    completions: {},
    logging: {},
    prompts: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    tools: { listChanged: true },
  };
  const info = { name: "conformance", version: "1.0.0" };
  const server = new McpServer(info, { capabilities, requestState: { verify: states.verify } });
  const changed = { tools: () => modern.notify.toolsChanged(), prompts: () => modern.notify.promptsChanged() };
  registerTools(server, changed);
  registerDangerousTool(server);
  registerRounds(server, states);
  registerResources(server);
  registerPrompts(server);
  if (era === "legacy") {
    server.server.setRequestHandler("resources/subscribe", async () => ({}));
    server.server.setRequestHandler("resources/unsubscribe", async () => ({}));
  }
  return server;
}

const modern = createMcpHandler(build, { legacy: "reject" });
const serveModern = toNodeHandler(modern);

// The sessions of the legacy era, each with a server of its own.
const sessions = new Map();

async function serveLegacy(request, response, body) {
  const id = request.headers["mcp-session-id"];
  if (id !== undefined) {
    const known = sessions.get(id);
    if (known) return known.handleRequest(request, response, body);
    return answer(response, 404, "Unknown session.");
  }
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    eventStore: new Events(),
    retryInterval: 50,
    onsessioninitialized: (minted) => void sessions.set(minted, transport),
    onsessionclosed: (ended) => void sessions.delete(ended),
  });
  await build({ era: "legacy" }).connect(transport);
  return transport.handleRequest(request, response, body);
}

// What was sent on the streams of one session, so that a client may take one up again where it broke off.
class Events {
  #events = [];

  async storeEvent(stream, message) {
    this.#events.push({ stream, message });
    return `${stream}/${this.#events.length - 1}`;
  }

  async getStreamIdForEventId(id) {
    return id.split("/")[0];
  }

  async replayEventsAfter(last, { send }) {
    const [stream, position] = last.split("/");
    for (const [index, event] of this.#events.entries()) {
      const isMessage = Object.keys(event.message).length > 0;
      if (event.stream === stream && index > Number(position) && isMessage) {
        await send(`${stream}/${index}`, event.message);
      }
    }
    return stream;
  }
}

function answer(response, status, message) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", error: { code: -32600, message } }));
}

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return undefined;
  }
}

const validHost = localhostHostValidation();
const validOrigin = localhostOriginValidation();
createServer(async (request, response) => {
  if (!validHost(request, response) || !validOrigin(request, response)) return;
  if (request.url !== "/mcp") return answer(response, 404, "No such path.");
  const body = request.method === "POST" ? await read(request) : undefined;
  if (request.method === "POST" && body === undefined) return answer(response, 400, "Not JSON.");
  const legacy = await isLegacyRequest(await toWebRequest(request, body), body);
  return legacy ? serveLegacy(request, response, body) : serveModern(request, response, body);
}).listen(Number(process.argv[2]), "127.0.0.1");
