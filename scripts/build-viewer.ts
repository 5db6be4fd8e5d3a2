// Builds the viewer page twice: as page, script and style for servers with a strict policy (dist/inspect/viewer/), and as
// one file that opens from disk (dist/inspect/viewer.html).
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const source = join(root, "src", "inspect", "viewer");
const NOTICE = `/*! lash-runtime viewer, MIT. Contains elkjs (https://github.com/kieler/elkjs), which is under the Eclipse Public License 2.0; its source is available there. */`;

/**
 * @param folder - where `viewer.html` and `viewer/` go; default `dist/inspect` of the package.
 * @returns sizes in bytes.
 */
export async function buildViewer(folder = join(root, "dist", "inspect")): Promise<{ readonly script: number; readonly page: number }> {
  const result = await build({
    entryPoints: [join(source, "main.ts")],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    platform: "browser",
    target: "es2022",
    legalComments: "none",
    banner: { js: NOTICE },
    // elkjs looks for this package in order to use a worker on Node; in the page it must not.
    external: ["web-worker"],
    absWorkingDir: root,
  });
  const script = result.outputFiles[0]?.text ?? "";
  const style = ["viewer.css", "chart.css"].map((file) => readFileSync(join(source, file), "utf8")).join("");
  const icon = readFileSync(join(source, "icon.svg"), "utf8").trim();
  const html = readFileSync(join(source, "index.html"), "utf8");
  const viewer = join(folder, "viewer");
  mkdirSync(viewer, { recursive: true });
  writeFileSync(join(viewer, "viewer.js"), script);
  writeFileSync(join(viewer, "viewer.css"), style);
  writeFileSync(join(viewer, "icon.svg"), icon);
  const outside = `<meta name="lash-events" content="events">\n<link rel="icon" href="icon.svg">\n<link rel="stylesheet" href="viewer.css">`;
  writeFileSync(join(viewer, "index.html"), page(html, outside, `<script src="viewer.js"></script>`));
  // Functions as replacements: `$&` in minified code is no pattern. `</script` would end the element early.
  const inside = `<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(icon)}">\n<style>\n${style}</style>`;
  const single = page(html, inside, `<script>${script.replaceAll("</script", "<\\/script")}</script>`);
  writeFileSync(join(folder, "viewer.html"), single);
  return { script: script.length, page: single.length };
}

function page(html: string, head: string, body: string): string {
  return html.replace("<!-- head -->", () => head).replace("<!-- body -->", () => body);
}

if (import.meta.main) {
  const { script, page: single } = await buildViewer();
  console.log(`viewer: script ${Math.round(script / 1000)} kB, single page ${Math.round(single / 1000)} kB`);
}
