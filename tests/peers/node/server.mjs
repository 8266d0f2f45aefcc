// A server on the TypeScript SDK 2, both eras: `server.mjs PORT`.
import { createServer } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer, createMcpHandler } from "@modelcontextprotocol/server";
import { cacheHints, registerTools } from "./tools.mjs";

function build() {
  const server = new McpServer({ name: "typescript", version: "1.0.0" }, { cacheHints });
  registerTools(server);
  return server;
}

const handler = toNodeHandler(createMcpHandler(build));
createServer((request, response) => {
  if (request.url === "/mcp") return handler(request, response);
  response.writeHead(404).end();
}).listen(Number(process.argv[2]), "127.0.0.1");
