// OpenID Connect provider on oidc-provider, with its own login pages and a fresh signing key at every start.
// node oidc_provider.mjs PORT REDIRECT_URI ACCOUNTS   - prints READY when it listens.
// ACCOUNTS names a JSON file {login: claims}, read anew for every sign-in; an account's password is not asked for.
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Provider } from "oidc-provider";

const [port, redirectUri, accounts] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const client = { redirect_uris: [redirectUri], response_types: ["code"], grant_types: ["authorization_code"] };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { ...client, client_id: "forewarn", client_secret: "a secret of the site, and/or + signs & more" },
    { ...client, client_id: "public", token_endpoint_auth_method: "none" },
    { ...client, client_id: "post", client_secret: "posted", token_endpoint_auth_method: "client_secret_post" },
  ],
  claims: { openid: ["sub"], profile: ["name", "preferred_username", "roles", "realm_access"], email: ["email"] },
  cookies: { keys: ["only for tests"] },
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: "RS256" }] },
  features: { devInteractions: { enabled: true } },
  findAccount: (_, login) => ({
    accountId: login,
    claims: () => ({ sub: login, ...JSON.parse(readFileSync(accounts, "utf8"))[login] }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("READY"));
