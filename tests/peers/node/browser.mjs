// The browser of a login without a screen: follows redirects, with cookies, until one leads to the client's own URL, and gives
// that. As a command: `browser.mjs URL OWN_URL`.
import { pathToFileURL } from "node:url";

export async function visit(url, own) {
  const cookies = new Map();
  for (let hops = 0; hops < 20; hops += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, { redirect: "manual", headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (!location) throw new Error(`${url} answers ${response.status}: ${await response.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(own)) return url;
  }
  throw new Error(`redirected without end, now to ${url}`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log((await visit(...process.argv.slice(2))).href);
}
