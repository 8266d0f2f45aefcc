// The conformance fixture's resources and prompts.
import { ResourceTemplate, completable } from "@modelcontextprotocol/server";
import { z } from "zod";
import { PNG, text } from "./conformance-tools.mjs";

export function registerResources(server) {
  const resource = (name, mimeType, content) => {
    const uri = `test://${name}`;
    const read = async () => ({ contents: [{ uri, mimeType, ...content }] });
    server.registerResource(name, uri, { description: `The resource ${name}.`, mimeType }, read);
  };
  resource("static-text", "text/plain", { text: "The text of a resource." });
  resource("static-binary", "image/png", { blob: PNG });
  resource("watched-resource", "text/plain", { text: "A resource to subscribe to." });
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "A resource for each id.", mimeType: "application/json" },
    async (uri, { id }) => ({
      contents: [{ uri: uri.href, mimeType: "application/json", text: JSON.stringify({ id, data: `Data of ${id}` }) }],
    }),
  );
}

export function registerPrompts(server) {
  const say = (...contents) => ({ messages: contents.map((content) => ({ role: "user", content })) });
  const place = completable(z.string(), (value) => ["paris", "park", "party"].filter((word) => word.startsWith(value)));

  server.registerPrompt("test_simple_prompt", { description: "A prompt." }, async () => say(text("A simple prompt.")));
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "A prompt of two arguments.", argsSchema: z.object({ arg1: place, arg2: z.string() }) },
    async ({ arg1, arg2 }) => say(text(`The arguments are ${arg1} and ${arg2}.`)),
  );
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "A prompt with a resource.", argsSchema: z.object({ resourceUri: z.string() }) },
    async ({ resourceUri: uri }) =>
      say({ type: "resource", resource: { uri, mimeType: "text/plain", text: "An embedded resource." } }, text("Read it.")),
  );
  server.registerPrompt("test_prompt_with_image", { description: "A prompt with an image." }, async () =>
    say({ type: "image", data: PNG, mimeType: "image/png" }, text("Look at it.")),
  );
}
