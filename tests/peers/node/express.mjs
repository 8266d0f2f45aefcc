// The TypeScript SDK 2 behind Express and its JSON body parser, both eras: `express.mjs PORT`. The parser inflates compressed
// bodies and reads other character sets than UTF-8, and the router takes several paths for one.
import { toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer, createMcpHandler } from "@modelcontextprotocol/server";
import express from "express";
import { cacheHints, registerTools } from "./tools.mjs";

function build() {
  const server = new McpServer({ name: "express", version: "1.0.0" }, { cacheHints });
  registerTools(server);
  return server;
}

const handler = toNodeHandler(createMcpHandler(build));
const app = express();
app.use(express.json({ limit: "4mb" }));
app.all("/mcp", (request, response) => handler(request, response, request.body));
app.listen(Number(process.argv[2]), "127.0.0.1");
