// Finds the Chromium that browser tests drive: CHROMIUM_PATH, then one on PATH, then the one inside @sparticuz/chromium.
import { accessSync, constants, existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** @returns {Promise<{ executablePath: string, env: Record<string, string> } | undefined>} */
export async function findChromium() {
  if (process.env.CHROMIUM_FROM !== "npm") {
    const installed = process.env.CHROMIUM_PATH ?? onPath();
    if (installed) return { executablePath: installed, env: {} };
  }
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  return fromPackage();
}

function onPath() {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of NAMES) {
      const candidate = join(folder, name);
      try {
        accessSync(candidate, constants.X_OK);
        return candidate;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}

async function fromPackage() {
  const require = createRequire(import.meta.url);
  let entry;
  try {
    entry = require.resolve("@sparticuz/chromium");
  } catch {
    return undefined;
  }
  let home = dirname(entry);
  while (!existsSync(join(home, "bin", "chromium.br"))) {
    const parent = dirname(home);
    if (parent === home) return undefined;
    home = parent;
  }
  const { version } = require(join(home, "package.json"));
  const root = join(dirname(fileURLToPath(import.meta.url)), "..", "node_modules", ".cache", `chromium-${version}`);
  const { mkdirSync } = await import("node:fs");
  mkdirSync(root, { recursive: true });
  // The package unpacks to os.tmpdir()/chromium and reuses whatever lies there, so it gets a folder of its own.
  const before = process.env.TMPDIR;
  process.env.TMPDIR = root;
  try {
    const { default: chromium, inflate } = await import("@sparticuz/chromium");
    const executablePath = await chromium.executablePath();
    await inflate(join(home, "bin", "al2023.tar.br"));
    return {
      executablePath,
      env: { LD_LIBRARY_PATH: join(root, "al2023", "lib"), FONTCONFIG_FILE: fontsOf(root) },
    };
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}

/** The package's own configuration looks for its fonts in /tmp; a page without fonts has text of no size, which nobody can click. */
function fontsOf(root) {
  const path = join(root, "fonts.conf");
  writeFileSync(path, `<?xml version="1.0"?><fontconfig><dir>${join(root, "fonts")}</dir><cachedir>${join(root, "fonts-cache")}</cachedir></fontconfig>\n`);
  return path;
}
