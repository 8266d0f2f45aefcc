// A server on the TypeScript SDK 2, both eras: `server.mjs PORT`.
import { createServer } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer, createMcpHandler } from "@modelcontextprotocol/server";
import { z } from "zod";

function build() {
  const server = new McpServer({ name: "typescript", version: "1.0.0" });
  const text = (text) => ({ content: [{ type: "text", text }] });
  server.registerTool(
    "echo",
    { description: "Answers with the message.", inputSchema: z.object({ message: z.string() }) },
    async ({ message }) => text(`Echo: ${message}`),
  );
  server.registerTool(
    "add",
    { description: "Adds two numbers.", inputSchema: z.object({ a: z.number(), b: z.number() }) },
    async ({ a, b }) => text(String(a + b)),
  );
  server.registerTool("delete_everything", { description: "Deletes every datastore." }, async () => text("deleted"));
  return server;
}

const handler = toNodeHandler(createMcpHandler(build));
createServer((request, response) => {
  if (request.url === "/mcp") return handler(request, response);
  response.writeHead(404).end();
}).listen(Number(process.argv[2]), "127.0.0.1");
