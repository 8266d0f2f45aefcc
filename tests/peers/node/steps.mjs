// Runs the steps that a test wants on a connected client of either TypeScript SDK, one JSON line a step.
export async function run(client, steps, protocol) {
  const print = (line) => console.log(JSON.stringify(line));
  for (const step of steps) {
    try {
      print(step.list ? await list(client) : await call(client, step));
    } catch (error) {
      print({ error: `${error.name}: ${error.message}` });
    }
  }
  print({ protocol });
  await client.close();
}

async function list(client) {
  return { tools: (await client.listTools()).tools.map((tool) => tool.name) };
}

async function call(client, step) {
  const result = await client.callTool({ name: step.call, arguments: step.arguments ?? {} });
  return { isError: result.isError ?? false, text: result.content.map((block) => block.text ?? "").join("") };
}
