// The conformance fixture's tools and prompt that take several rounds: they return what they need to know, and the client
// calls again with it (2026-07-28).
import { acceptedContent, inputRequired, inputResponse } from "@modelcontextprotocol/server";
import { z } from "zod";
import { text } from "./conformance-tools.mjs";

const object = (properties) => ({ type: "object", properties, required: Object.keys(properties) });
const question = (message, properties) =>
  inputRequired.elicit({ mode: "form", message, requestedSchema: object(properties) });
const string = { type: "string" };
const done = (said) => ({ content: [text(said)] });

const NAME = () => question("What is your name?", { name: string });
const sampling = (said, maxTokens) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: text(said) }], maxTokens });

export function registerRounds(server, states) {
  const tool = (name, description, run) =>
    server.registerTool(`test_input_required_result_${name}`, { description }, run);
  const answered = (ctx, key) => inputResponse(ctx.mcpReq.inputResponses, key);

  tool("elicitation", "Asks for a name.", async (ctx) => {
    const given = acceptedContent(ctx.mcpReq.inputResponses, "user_name", z.object({ name: z.string() }));
    return given ? done(`Hello, ${given.name}!`) : inputRequired({ inputRequests: { user_name: NAME() } });
  });
  tool("sampling", "Asks the client's model.", async (ctx) => {
    const view = answered(ctx, "capital_question");
    if (view.kind === "sampling") return done(`The model said: ${view.result.content.text}`);
    return inputRequired({ inputRequests: { capital_question: sampling("What is the capital of France?", 100) } });
  });
  tool("list_roots", "Asks for the client's roots.", async (ctx) => {
    const view = answered(ctx, "client_roots");
    if (view.kind === "roots") return done(`Roots: ${view.roots.map((root) => root.uri).join(", ")}`);
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  tool("multiple_inputs", "Asks three things at once.", async (ctx) => {
    const [name, greeting, roots] = ["user_name", "greeting", "client_roots"].map((key) => answered(ctx, key).kind);
    if (name === "elicit" && greeting === "sampling" && roots === "roots") return done("All three were answered.");
    const inputRequests = {
      user_name: NAME(),
      greeting: sampling("Generate a greeting", 50),
      client_roots: inputRequired.listRoots(),
    };
    return inputRequired({ inputRequests, requestState: await states.mint({ asked: "three" }, ctx) });
  });

  const confirm = () => ({ confirm: question("Please confirm", { ok: { type: "boolean" } }) });
  for (const name of ["request_state", "tampered_state"]) {
    tool(name, "Keeps its state with the client.", async (ctx) => {
      const sound = ctx.mcpReq.requestState()?.asked === name && answered(ctx, "confirm").kind === "elicit";
      if (sound) return done("state-ok");
      return inputRequired({ inputRequests: confirm(), requestState: await states.mint({ asked: name }, ctx) });
    });
  }
  tool("multi_round", "Asks twice.", async (ctx) => {
    const round = ctx.mcpReq.requestState()?.round;
    if (round === 2 && answered(ctx, "step2").kind === "elicit") return done("Both were answered.");
    const next =
      round === 1 && answered(ctx, "step1").kind === "elicit"
        ? { step2: question("Step 2: What is your favorite color?", { color: string }) }
        : { step1: question("Step 1: What is your name?", { name: string }) };
    const requestState = await states.mint({ round: "step2" in next ? 2 : 1 }, ctx);
    return inputRequired({ inputRequests: next, requestState });
  });
  tool("capabilities", "Asks only what the client can do.", async (ctx) => {
    const declared = ctx.mcpReq.envelope?.["io.modelcontextprotocol/clientCapabilities"] ?? {};
    if (ctx.mcpReq.inputResponses) return done("Answered.");
    const inputRequests = {};
    if (declared.sampling) inputRequests.capital_question = sampling("What is the capital of France?", 100);
    if (declared.elicitation) inputRequests.user_name = NAME();
    return inputRequired({ inputRequests });
  });
  // The SDK refuses to ask a client for what it has not declared, with MissingRequiredClientCapability.
  server.registerTool("test_missing_capability", { description: "Needs a client that samples." }, async () =>
    inputRequired({ inputRequests: { capital_question: sampling("What is the capital of France?", 100) } }),
  );
  server.registerTool("test_streaming_elicitation", { description: "Asks for a name." }, async (ctx) => {
    const given = acceptedContent(ctx.mcpReq.inputResponses, "user_name");
    return given ? done("Answered.") : inputRequired({ inputRequests: { user_name: NAME() } });
  });

  server.registerPrompt("test_input_required_result_prompt", { description: "Asks for its context." }, async (ctx) => {
    const given = acceptedContent(ctx.mcpReq.inputResponses, "user_context", z.object({ context: z.string() }));
    if (given) return { messages: [{ role: "user", content: text(`In the context of ${given.context}.`) }] };
    const user_context = question("What context should the prompt use?", { context: string });
    return inputRequired({ inputRequests: { user_context } });
  });
}
