import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request, type IncomingHttpHeaders } from "node:http";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { inspectServer, statelyServer, type InspectServer } from "../../src/inspect/node.ts";
import { parseRecord } from "../../src/inspect/records.ts";
import { fakeRuntime } from "./machines/system.ts";

const viewerFolder = mkdtempSync(join(tmpdir(), "viewer-"));
writeFileSync(join(viewerFolder, "viewer.js"), "js");
writeFileSync(join(viewerFolder, "index.html"), "<p>page");
afterAll(() => rmSync(viewerFolder, { recursive: true, force: true }));

const open: InspectServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});
async function serve(): Promise<InspectServer> {
  const server = await inspectServer({ viewerFolder });
  open.push(server);
  return server;
}

interface Answer { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string }

/** Resolves at the end of the answer, or as soon as `until` is in it. */
function get(url: string, headers: Readonly<Record<string, string>> = {}, until?: string, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, method }, (response) => {
      let text = "";
      const done = (): void => resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        if (until !== undefined && text.includes(until)) {
          done();
          sent.destroy();
        }
      });
      response.on("end", done);
    });
    sent.on("error", reject);
    sent.end();
  });
}

test("the page is served under a policy that allows nothing but its own files", async () => {
  const { url } = await serve();
  const page = await get(url);
  expect(page.status).toBe(200);
  expect(page.text).toBe("<p>page");
  expect(page.headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'");
  expect(page.headers["content-security-policy"]).not.toContain("unsafe");
  expect((await get(`${url}viewer.js`)).text).toBe("js");
});

test.each([["evil.example"], ["evil.example:80"], ["127.0.0.1"], ["169.254.1.1:8080"]])("a request for host %j is refused (DNS rebinding)", async (host) => {
  const { url } = await serve();
  expect((await get(`${url}events`, { host })).status).toBe(403);
});

test.each([["https://evil.example"], ["http://localhost:1"], ["null"], ["http://127.0.0.1:1"]])("a request from origin %s is refused", async (origin) => {
  const { url } = await serve();
  expect((await get(`${url}events`, { origin })).status).toBe(403);
});

test("its own origin, by number or by name, may read", async () => {
  const { url } = await serve();
  const { port } = new URL(url);
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`]) {
    expect((await get(url, { host, origin: `http://${host}` })).status).toBe(200);
  }
});

test("without the secret of its URL there is nothing to find, and no file outside the page", async () => {
  const { url } = await serve();
  const { origin } = new URL(url);
  for (const path of ["/", "/events", "/wrong/events", "/viewer.js"]) expect((await get(`${origin}${path}`)).status).toBe(404);
  for (const path of ["..%2f..%2fpackage.json", "constructor", "index.html"]) expect((await get(`${url}${path}`)).status).toBe(404);
  expect((await get(url, {}, undefined, "POST")).status).toBe(405);
});

test("two servers have different secrets", async () => {
  expect(new URL((await serve()).url).pathname).not.toBe(new URL((await serve()).url).pathname);
});

test("it listens on the loopback interface only", async () => {
  const { url } = await serve();
  const outside = Object.values(networkInterfaces()).flatMap((list) => list ?? []).find(({ internal, family }) => !internal && family === "IPv4");
  if (!outside) return;
  await expect(get(`http://${outside.address}:${new URL(url).port}/`)).rejects.toThrow(/ECONNREFUSED/);
});

test("a viewer that connects late gets the run, the charts and what happened, then what happens", async () => {
  const server = await serve();
  const runtime = fakeRuntime(server);
  runtime.start("chat-42", "t1");
  const live = get(`${server.url}events`, {}, '"value":"refreshingHead"');
  while (server.watchers === 0) await new Promise(setImmediate);
  runtime.advance();
  runtime.advance();
  const { text, headers } = await live;
  expect(headers["content-type"]).toContain("text/event-stream");
  const records = text.split("\n").flatMap((line) => (line.startsWith("data: ") ? (parseRecord(line.slice(6)) ?? []) : []));
  expect(records[0]?.type).toBe("lash.run");
  expect(records.some((record) => record.type === "@xstate.actor" && record.name === "turn:chat-42:t1")).toBe(true);
  expect(text).not.toContain("sk-live-0123456789abcdef0123");
});

test("a port out of range is refused", async () => {
  await expect(inspectServer({ port: 70_000 })).rejects.toThrow(RangeError);
});

test("without a built page the stream works and the page says what to do", async () => {
  const server = await inspectServer({ viewerFolder: join(viewerFolder, "missing") });
  open.push(server);
  const page = await get(server.url);
  expect([page.status, page.text]).toEqual([501, "The viewer page is not built. In a checkout: npm run build\n"]);
});

test("the bridge to Stately's viewer frames only that viewer and speaks its format", async () => {
  const server = await statelyServer({ viewer: "https://viewer.example/inspect?a=1&b=2" });
  open.push(server);
  const page = await get(server.url);
  expect(page.text).toContain('src="https://viewer.example/inspect?a=1&amp;b=2"');
  expect(page.headers["content-security-policy"]).toContain("frame-src https://viewer.example;");
  fakeRuntime(server).start("chat-42", "t1");
  const live = await get(`${server.url}events`, {}, "@xstate.snapshot");
  const first: unknown = JSON.parse(/^data: (.*)$/m.exec(live.text)?.[1] ?? "null");
  expect(first).toMatchObject({ type: "@xstate.actor", name: "lash", _version: "0.7.2", definition: expect.stringContaining('"id":"lash"') });
  expect((await get(`${server.url}events`, { host: "evil.example" })).status).toBe(403);
  await expect(statelyServer({ viewer: "javascript:alert(1)" })).rejects.toThrow(TypeError);
});
