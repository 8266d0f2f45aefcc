// Lets a client of either TypeScript SDK log in: keeps what the SDK asks to be kept, and plays the browser.
import { visit } from "./browser.mjs";

export class Login {
  redirectUrl = "http://127.0.0.1:9/callback";
  clientMetadata = {
    client_name: "reeve-tests",
    redirect_uris: [this.redirectUrl],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  #kept = {};

  clientInformation = () => this.#kept.client;
  saveClientInformation = (client) => void (this.#kept.client = client);
  tokens = () => this.#kept.tokens;
  saveTokens = (tokens) => void (this.#kept.tokens = tokens);
  codeVerifier = () => this.#kept.verifier;
  saveCodeVerifier = (verifier) => void (this.#kept.verifier = verifier);
  discoveryState = () => this.#kept.discovery;
  saveDiscoveryState = (discovery) => void (this.#kept.discovery = discovery);

  constructor() {
    const resource = process.env.REEVE_TESTS_RESOURCE;
    if (resource !== undefined) this.validateResourceURL = async () => new URL(resource);
  }

  async redirectToAuthorization(url) {
    this.callback = (await visit(url, this.redirectUrl)).searchParams;
  }
}

// Connects; if there is a third argument on the command line, it may log in for that and connect once more. `makeTransport`
// makes a transport with these options.
export async function connect(client, makeTransport) {
  if (process.argv[4] === undefined) {
    const transport = makeTransport({});
    await client.connect(transport);
    return transport;
  }
  const login = new Login();
  const first = makeTransport({ authProvider: login });
  try {
    await client.connect(first);
    return first;
  } catch (error) {
    if (error.name !== "UnauthorizedError" && error.constructor.name !== "UnauthorizedError") throw error;
  }
  const { callback } = login;
  if (callback.has("error")) throw new Error(`${callback.get("error")}: ${callback.get("error_description")}`);
  await first.finishAuth(callback.get("code"), callback.get("iss") ?? undefined);
  const second = makeTransport({ authProvider: login });
  await client.connect(second);
  return second;
}
