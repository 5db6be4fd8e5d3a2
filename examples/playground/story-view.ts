// Draws the story: a rail per life, a break where it crashed.

import { h } from "../../src/inspect/viewer/dom.ts";
import type { Row, RowState, Story } from "./story.ts";

const LABELS: Readonly<Record<RowState, string>> = {
  running: "running", ran: "ran", again: "runs again", reran: "ran again", journal: "from the journal", cut: "cut off", unknown: "reported", crash: "", mark: "", stopped: "stopped",
};

export class StoryView {
  readonly #host: HTMLElement;
  readonly #drawn = new Map<string, { readonly row: Row; readonly element: HTMLElement }>();

  constructor(host: HTMLElement) {
    this.#host = host;
  }

  show({ rows }: Story): void {
    const isAtEnd = this.#host.scrollHeight - this.#host.scrollTop - this.#host.clientHeight < 60;
    if (rows.length === 0 && this.#host.childElementCount === 0) this.#host.append(h("li", { class: "story-empty" }, "Every model call and every tool call appears here, with what a crash did to it."));
    if (rows.length > 0) this.#host.querySelector(".story-empty")?.remove();
    for (const row of rows) {
      const drawn = this.#drawn.get(row.key);
      if (drawn?.row === row) continue;
      const element = draw(row);
      if (drawn) drawn.element.replaceWith(element);
      else this.#host.append(element);
      this.#drawn.set(row.key, { row, element });
    }
    if (isAtEnd) this.#host.scrollTop = this.#host.scrollHeight;
  }
}

function draw({ title, note, state, tookMs, expectedMs }: Row): HTMLElement {
  const isRunning = state === "running" || state === "again";
  const bar = isRunning && expectedMs !== undefined ? h("span", { class: "bar" }, h("i", {})) : undefined;
  const inner = bar?.firstElementChild;
  if (inner instanceof HTMLElement) inner.style.animationDuration = `${expectedMs}ms`;
  // What another tab told after the fact took no time here.
  const took = tookMs === undefined || tookMs < 50 ? "" : `${(tookMs / 1000).toFixed(1)} s`;
  return h("li", { class: `row ${state}` },
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("span", { class: "what" }, h("b", {}, title), h("span", { class: "note" }, note), bar),
    h("span", { class: "took" }, took),
    LABELS[state] === "" ? undefined : h("span", { class: `badge ${state}` }, LABELS[state]));
}
