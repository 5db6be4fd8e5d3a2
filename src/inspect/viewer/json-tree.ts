// JSON as a tree that opens and closes; fields that changed since the last value are marked.
import { h } from "./dom.ts";

export class JsonTree {
  private readonly open = new Map<string, boolean>();
  private before: unknown;
  private beforeName = "";
  private value: unknown;
  private text = "";
  private readonly host: HTMLElement;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  /** @param name - whose value this is; changes are marked only between values of the same name. */
  show(name: string, value: unknown): void {
    const text = JSON.stringify(value) ?? "";
    if (name === this.beforeName && text === this.text) return;
    this.before = name === this.beforeName ? this.value : undefined;
    this.beforeName = name;
    this.value = value;
    this.text = text;
    this.render();
  }

  private render(): void {
    if (this.value === undefined) {
      this.host.replaceChildren(h("p", { class: "nothing" }, "nothing"));
      return;
    }
    const fields = typeof this.value === "object" && this.value !== null ? Object.entries(this.value) : [["", this.value] as const];
    const before = asFields(this.before);
    this.host.replaceChildren(...(fields.length === 0 ? [h("p", { class: "nothing" }, "empty")] : fields.map(([key, item]) => this.field(key, item, before?.[key], key, 0, before !== undefined))));
  }

  private field(key: string, value: unknown, before: unknown, path: string, depth: number, comparable: boolean): HTMLElement {
    const changed = comparable && JSON.stringify(value) !== JSON.stringify(before);
    const name = h("span", { class: "json-key" }, key);
    if (typeof value !== "object" || value === null) {
      return h("div", { class: `json-row${changed ? " changed" : ""}` }, name, h("span", { class: `json-value ${value === null ? "null" : typeof value}` }, typeof value === "string" ? value : String(value)));
    }
    const entries = Object.entries(value);
    if (entries.length === 0) return h("div", { class: `json-row${changed ? " changed" : ""}` }, name, h("span", { class: "json-value null" }, Array.isArray(value) ? "[]" : "{}"));
    const open = this.open.get(path) ?? (depth < 2 && entries.length <= 12);
    const details = h("details", { class: "json-branch", open }, h("summary", { class: changed && !open ? "changed" : "" }, name, h("span", { class: "json-value null" }, Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`)));
    const earlier = asFields(before);
    const fill = (): void => {
      if (details.childElementCount > 1) return;
      details.append(...entries.map(([inner, item]) => this.field(inner, item, earlier?.[inner], `${path}.${inner}`, depth + 1, comparable && earlier !== undefined)));
    };
    if (open) fill();
    details.addEventListener("toggle", () => {
      this.open.set(path, details.open);
      if (details.open) fill();
    });
    return details;
  }
}

function asFields(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
}
