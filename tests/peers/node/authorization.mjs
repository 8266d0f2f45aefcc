// An authorization server (oidc-provider): `authorization.mjs PORT RESOURCE AUDIENCE`. Clients register themselves, a login is
// granted to whoever follows the redirects, and tokens are signed JWTs of the scope `tools`. AUDIENCE says what becomes of the
// resource that a client asks for (RFC 8707):
//
//   configured  nothing: every token is for RESOURCE
//   requested   the token is for it, whatever it is
//   known       the token is for it if it is RESOURCE; any other is refused
import { createServer } from "node:http";
import { Provider, errors } from "oidc-provider";

const [port, resource, audience] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [
    { client_id: "sidecar", client_secret: "sidecar-secret", grant_types: ["client_credentials"], redirect_uris: [], response_types: [] },
  ],
  clientAuthMethods: ["none", "client_secret_basic", "client_secret_post"],
  cookies: { keys: ["tests"] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      getResourceServerInfo: (context, requested) => {
        if (audience === "known" && requested !== resource) throw new errors.InvalidTarget();
        return { scope: "tools", audience: audience === "configured" ? resource : requested, accessTokenFormat: "jwt" };
      },
      useGrantedResource: () => true,
    },
  },
  interactions: { url: (context, interaction) => `/login/${interaction.uid}` },
  pkce: { required: () => true },
  scopes: ["openid", "offline_access", "tools"],
  ttl: { AccessToken: 600, ClientCredentials: 600, Grant: 600, Interaction: 600, Session: 600 },
});

// Whoever comes is logged in, and consents to whatever is asked.
async function answer(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") return { login: { accountId: "somebody" } };
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope ?? "");
  grant.addResourceScope(params.resource ?? resource, "tools");
  return { consent: { grantId: await grant.save() } };
}

const serve = provider.callback();
createServer(async (request, response) => {
  if (!request.url.startsWith("/login/")) return serve(request, response);
  const result = await answer(request, response);
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}).listen(Number(port), "127.0.0.1");
