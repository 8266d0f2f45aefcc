// A client on the TypeScript SDK 2 that does what the conformance suite's scenario asks of a client:
// `conformance-client.mjs URL`, the scenario in MCP_CONFORMANCE_SCENARIO and what it needs in MCP_CONFORMANCE_CONTEXT.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const scenario = process.env.MCP_CONFORMANCE_SCENARIO;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? "{}");
const modern = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION === "2026-07-28";

const callEach = async (client, calls) => {
  await client.listTools();
  for (const call of calls) await client.callTool(call);
};

const scenarios = {
  initialize: (client) => client.listTools(),
  tools_call: (client) => callEach(client, [{ name: "add_numbers", arguments: { a: 5, b: 3 } }]),
  "sse-retry": (client) => callEach(client, [{ name: "test_reconnection", arguments: {} }]),
  "elicitation-sep1034-client-defaults": (client) =>
    callEach(client, [{ name: "test_client_elicitation_defaults", arguments: {} }]),
  "request-metadata": (client) => client.listTools(),
  "http-standard-headers": async (client) => {
    for (const { name } of (await client.listTools()).tools) await client.callTool({ name, arguments: {} });
    for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
    for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
  },
  "http-custom-headers": (client) => callEach(client, context.toolCalls),
  // A client calls what it lists; whether it lists tools with bad annotations is what the scenario looks at.
  "http-invalid-tool-headers": async (client) => {
    const arguments_ = { region: "us-west1" };
    for (const { name } of (await client.listTools()).tools) await client.callTool({ name, arguments: arguments_ });
  },
  "sep-2322-client-request-state": async (client) => {
    const call = (name) => client.callTool({ name: `test_mrtr_${name}`, arguments: {} });
    await client.listTools();
    await Promise.all([call("echo_state"), call("unrelated")]);
    await call("no_state");
    // Its result has no resultType, which this SDK takes for a mistake of the server.
    await call("no_result_type").catch(() => {});
  },
  "json-schema-ref-no-deref": (client) => client.listTools(),
  "json-schema-2020-12-preservation": async (client) => {
    const { tools } = await client.listTools();
    const schema = tools.find(({ name }) => name === "json_schema_2020_12_tool").inputSchema;
    await client.callTool({ name: "json_schema_echo", arguments: { schema } });
  },
};

const capabilities = { elicitation: { form: { applyDefaults: true } }, roots: {}, sampling: {} };
const versionNegotiation = modern ? { mode: { pin: "2026-07-28" } } : undefined;
const client = new Client({ name: "conformance-client", version: "1.0.0" }, { capabilities, versionNegotiation });
client.setRequestHandler("elicitation/create", async () => ({ action: "accept", content: {} }));
await client.connect(new StreamableHTTPClientTransport(new URL(process.argv[2])));
await scenarios[scenario](client);
await client.close();
