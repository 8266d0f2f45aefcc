// The tools of the servers that attacks are tried on. Each says on standard error that it ran, and with what: that, and not
// an answer, is the proof that a call was carried out.
import { z } from "zod";

export function ran(tool, given) {
  process.stderr.write(`ran ${tool} ${JSON.stringify(String(given)).slice(0, 64)}\n`);
}

export function registerTools(server) {
  const text = (text) => ({ content: [{ type: "text", text }] });
  server.registerTool(
    "echo",
    { description: "Answers with the message.", inputSchema: z.object({ message: z.string() }) },
    async ({ message }) => {
      ran("echo", message);
      return text(`Echo: ${message}`);
    },
  );
  server.registerTool(
    "add",
    { description: "Adds two numbers.", inputSchema: z.object({ a: z.number(), b: z.number() }) },
    async ({ a, b }) => {
      ran("add", a);
      return text(String(a + b));
    },
  );
  registerDangerousTool(server);
}

export function registerDangerousTool(server) {
  server.registerTool(
    "delete_everything",
    { description: "Deletes every datastore.", inputSchema: z.object({ token: z.string().optional() }) },
    async ({ token }) => {
      ran("delete_everything", token);
      return { content: [{ type: "text", text: "deleted" }] };
    },
  );
}
