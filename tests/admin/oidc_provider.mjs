// An OpenID Connect provider. Everybody may log in, under any name; `groups` tells who is in which.
// Its argument is JSON: {port, client, groups, seconds, audience}.

import Provider from "oidc-provider";

const { port, client, groups, seconds, audience } = JSON.parse(process.argv[2]);
const claims = (id) => ({ sub: id, groups: groups[id] ?? [] });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], ...client }],
  claims: { openid: ["sub", "groups"] },
  conformIdTokenClaims: false,
  clientBasedCORS: () => true,
  cookies: { keys: ["a key of this process"] },
  findAccount: (_context, id) => ({ accountId: id, claims: () => claims(id) }),
  issueRefreshToken: async () => true,
  extraTokenClaims: (_context, token) => ({ groups: groups[token.accountId] ?? [] }),
  features: {
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "http://127.0.0.1/console",
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: "", audience, accessTokenFormat: "jwt", accessTokenTTL: seconds }),
    },
  },
  ttl: { IdToken: seconds, AccessToken: seconds, Grant: 3600, Interaction: 3600, Session: 3600 },
});

provider.listen(port, "127.0.0.1");
