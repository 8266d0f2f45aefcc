"""A server on the Python SDK that takes only callers who are logged in: `guarded.py PORT ISSUER TOKENS METADATA`.

TOKENS: `own`, the server takes tokens that were issued for its own URL; `any`, tokens for whatever.
METADATA: `yes`, it publishes protected-resource metadata; `no`, it does not.
"""

import asyncio
import sys

import jwt
from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings

port, issuer, tokens, metadata = sys.argv[1:]


class Verifier(TokenVerifier):
    """Checks signature, issuer and time; the audience is the SDK's to check."""

    def __init__(self):
        self.keys = jwt.PyJWKClient(f"{issuer}/jwks")

    async def verify_token(self, token):
        try:
            key = await asyncio.to_thread(self.keys.get_signing_key_from_jwt, token)
            claims = jwt.decode(token, key, algorithms=["RS256"], issuer=issuer, options={"verify_aud": False})
        except jwt.PyJWTError as error:
            print(f"refused: {error}", file=sys.stderr, flush=True)
            return None
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims.get("scope", "").split(),
            expires_at=claims["exp"],
            resource=claims["aud"],
        )


server = MCPServer(
    "guarded",
    token_verifier=Verifier(),
    auth=AuthSettings(
        issuer_url=issuer,
        resource_server_url=f"http://127.0.0.1:{port}/mcp" if metadata == "yes" else None,
        required_scopes=["tools"],
        validate_token_resource=tokens == "own",
    ),
)


@server.tool()
def echo(message: str) -> str:
    """Answers with the message."""
    return f"Echo: {message}"


@server.tool()
def delete_everything() -> str:
    """Deletes every datastore."""
    return "deleted"


server.run(transport="streamable-http", host="127.0.0.1", port=int(port))
