// The conformance fixture's tools that answer at once, report on the way, or ask a client of the legacy era.
import { setTimeout as after } from "node:timers/promises";
import { fromJsonSchema } from "@modelcontextprotocol/server";
import { z } from "zod";

// One red pixel; one sample of silence.
export const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
const WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAAA==";

export const text = (text) => ({ type: "text", text });
const image = { type: "image", data: PNG, mimeType: "image/png" };
const embedded = (uri, mimeType, text) => ({ type: "resource", resource: { uri, mimeType, text } });

export function registerTools(server, changed) {
  const tool = (name, description, run) => server.registerTool(name, { description }, run);

  tool("test_simple_text", "Answers with text.", async () => ({ content: [text("A simple text.")] }));
  tool("test_image_content", "Answers with an image.", async () => ({ content: [image] }));
  tool("test_audio_content", "Answers with audio.", async () => ({
    content: [{ type: "audio", data: WAV, mimeType: "audio/wav" }],
  }));
  tool("test_embedded_resource", "Answers with a resource.", async () => ({
    content: [embedded("test://embedded-resource", "text/plain", "An embedded resource.")],
  }));
  tool("test_multiple_content_types", "Answers with content of several kinds.", async () => ({
    content: [text("Several kinds:"), image, embedded("test://mixed-content-resource", "application/json", '{"a":1}')],
  }));
  tool("test_error_handling", "Fails.", async () => {
    throw new Error("This tool fails on purpose.");
  });

  tool("test_tool_with_logging", "Logs three times.", async (ctx) => {
    for (const message of ["Begun", "Under way", "Done"]) {
      await ctx.mcpReq.log("info", message);
      await after(50);
    }
    return { content: [text("Logged.")] };
  });
  tool("test_logging_tool", "Logs, if the client asks for it.", async (ctx) => {
    await ctx.mcpReq.log("info", "Logged");
    return { content: [text("Logged.")] };
  });
  tool("test_tool_with_progress", "Reports progress.", async (ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined) {
        await ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: 100 } });
      }
      await after(50);
    }
    return { content: [text("Done.")] };
  });
  tool("test_reconnection", "Breaks the stream off, and answers on the one that takes it up again.", async (ctx) => {
    ctx.http?.closeSSE?.();
    await after(200);
    return { content: [text("Answered after a break.")] };
  });

  tool("test_trigger_tool_change", "Tells listeners that the tools changed.", async () => {
    changed.tools();
    return { content: [text("Told.")] };
  });
  tool("test_trigger_prompt_change", "Tells listeners that the prompts changed.", async () => {
    changed.prompts();
    return { content: [text("Told.")] };
  });

  registerQuestions(server);
  registerSchemas(server);
}

// Requests of the server to the client, while it serves one of the client's.
function registerQuestions(server) {
  const ask = (name, description, inputSchema, question) =>
    server.registerTool(name, { description, inputSchema: z.object(inputSchema) }, async (given, ctx) => {
      const { action, content } = await ctx.mcpReq.elicitInput({ mode: "form", ...question(given) });
      return { content: [text(`Answered: ${action} ${JSON.stringify(content ?? {})}`)] };
    });

  server.registerTool(
    "test_sampling",
    { description: "Has the client's model answer.", inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, ctx) => {
      const messages = [{ role: "user", content: text(prompt) }];
      const { content } = await ctx.mcpReq.requestSampling({ messages, maxTokens: 100 });
      return { content: [text(`The model said: ${content.text}`)] };
    },
  );
  const string = { type: "string" };
  ask("test_elicitation", "Asks the user.", { message: z.string() }, ({ message }) => ({
    message,
    requestedSchema: { type: "object", properties: { username: string, email: string }, required: ["username", "email"] },
  }));
  ask("test_elicitation_sep1034_defaults", "Asks the user, and proposes answers.", {}, () => ({
    message: "Correct what is wrong.",
    requestedSchema: {
      type: "object",
      properties: {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true },
      },
    },
  }));
  const options = ["option1", "option2", "option3"];
  const titled = [1, 2, 3].map((n) => ({ const: `value${n}`, title: `Value ${n}` }));
  ask("test_elicitation_sep1330_enums", "Asks the user to choose.", {}, () => ({
    message: "Choose.",
    requestedSchema: {
      type: "object",
      properties: {
        untitledSingle: { type: "string", enum: options },
        titledSingle: { type: "string", oneOf: titled },
        legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["One", "Two", "Three"] },
        untitledMulti: { type: "array", items: { type: "string", enum: options } },
        titledMulti: { type: "array", items: { anyOf: titled } },
      },
    },
  }));
}

// Tools whose schemas must reach the client as they are.
function registerSchemas(server) {
  const address = { $anchor: "addressDef", type: "object", properties: { street: { type: "string" } } };
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: { address },
    properties: {
      name: { type: "string" },
      address: { $ref: "#/$defs/address" },
      contactMethod: { type: "string", enum: ["phone", "email"] },
      phone: { type: "string" },
      email: { type: "string" },
    },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
    then: { required: ["phone"] },
    else: { required: ["email"] },
    additionalProperties: false,
  };
  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "Has a schema of many keywords.", inputSchema: fromJsonSchema(schema) },
    async () => ({ content: [text("Taken.")] }),
  );
  const region = { type: "string", "x-mcp-header": "Region" };
  server.registerTool(
    "test_custom_header",
    {
      description: "Has a parameter that is also a header.",
      inputSchema: fromJsonSchema({ type: "object", properties: { region }, required: ["region"] }),
    },
    async (given) => ({ content: [text(`The region is ${given.region}.`)] }),
  );
}
