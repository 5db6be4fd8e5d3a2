// Draws the chat. A saying is drawn again only when its pieces changed.

import { h } from "../../src/inspect/viewer/dom.ts";
import type { Piece, Saying } from "./talk.ts";

export interface TalkEvents {
  readonly onSuggest: (text: string) => void;
  /** Asks anew from before that message, with this text. */
  readonly onRewrite: (before: string | null, text: string) => void;
}

const SUGGESTIONS = ["Plan my day in Oslo", "A day trip to Kyoto", "What can you do?"];
const STATES: Readonly<Record<Extract<Piece, { kind: "tool" }>["state"], string>> = { running: "running", done: "done", failed: "unknown", kept: "from the journal", cut: "cut off" };

export class TalkView {
  readonly #host: HTMLElement;
  readonly #events: TalkEvents;
  readonly #drawn = new Map<string, { readonly mark: string; readonly element: HTMLElement }>();
  #editing: string | undefined;

  constructor(host: HTMLElement, events: TalkEvents) {
    this.#host = host;
    this.#events = events;
  }

  show(sayings: readonly Saying[], isBusy: boolean): void {
    const isAtEnd = this.#host.scrollHeight - this.#host.scrollTop - this.#host.clientHeight < 120;
    const elements: HTMLElement[] = sayings.length === 0 ? [this.#welcome()] : [];
    for (const [index, saying] of sayings.entries()) {
      const question = sayings[index - 1];
      const mark = JSON.stringify([saying, isBusy, this.#editing === saying.id, index === sayings.length - 1]);
      const kept = this.#drawn.get(saying.id);
      const element = kept?.mark === mark ? kept.element : this.#draw(saying, question, isBusy);
      this.#drawn.set(saying.id, { mark, element });
      elements.push(element);
    }
    if (elements.length !== this.#host.childElementCount || elements.some((element, index) => this.#host.children[index] !== element)) this.#host.replaceChildren(...elements);
    if (isAtEnd) this.#host.scrollTop = this.#host.scrollHeight;
  }

  #draw(saying: Saying, question: Saying | undefined, isBusy: boolean): HTMLElement {
    if (this.#editing === saying.id) return this.#editor(saying);
    const pieces = saying.pieces.map((piece) =>
      piece.kind === "text"
        ? h("p", {}, piece.text)
        : h("p", { class: `tool ${piece.state}` }, h("span", { class: "tool-name" }, piece.name), h("span", { class: "tool-state" }, STATES[piece.state])));
    const isWaiting = saying.before === undefined && saying.by === "agent";
    const actions = saying.before === undefined || isBusy ? undefined : this.#actions(saying, question);
    return h("article", { class: `saying ${saying.by}${isWaiting ? " live" : ""}`, "aria-label": saying.by === "user" ? "You" : "Agent" },
      h("div", { class: "bubble" }, ...pieces, isWaiting && pieces.length === 0 ? h("p", { class: "thinking", "aria-label": "thinking" }, h("i", {}), h("i", {}), h("i", {})) : undefined),
      actions);
  }

  #actions(saying: Saying, question: Saying | undefined): HTMLElement | undefined {
    if (saying.by === "user") return h("div", { class: "actions" }, h("button", { type: "button", onclick: () => this.#edit(saying.id) }, "Edit"));
    const { before } = question ?? {};
    if (!question || before === undefined) return undefined;
    return h("div", { class: "actions" }, h("button", { type: "button", onclick: () => this.#events.onRewrite(before, textOf(question)) }, "Regenerate"));
  }

  #editor(saying: Saying): HTMLElement {
    const area = h("textarea", { rows: 2, "aria-label": "Edit the question" });
    area.value = textOf(saying);
    const save = (): void => {
      this.#editing = undefined;
      if (area.value.trim() !== "" && saying.before !== undefined) this.#events.onRewrite(saying.before, area.value.trim());
    };
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        save();
      } else if (event.key === "Escape") {
        event.stopPropagation();
        this.#edit(undefined);
      }
    });
    queueMicrotask(() => area.focus());
    return h("article", { class: "saying user editing" }, h("div", { class: "bubble" }, area),
      h("div", { class: "actions" }, h("button", { type: "button", onclick: () => this.#edit(undefined) }, "Leave it"), h("button", { type: "button", class: "primary", onclick: save }, "Ask again")));
  }

  #edit(id: string | undefined): void {
    this.#editing = id;
    this.#host.dispatchEvent(new Event("repaint"));
  }

  #welcome(): HTMLElement {
    return h("div", { class: "welcome" },
      h("h2", {}, "An agent that survives its tab"),
      h("p", {}, "It runs right here, without a server. Every step is written to IndexedDB before the next one begins."),
      h("ol", {},
        h("li", {}, h("b", {}, "Ask"), " for something that takes a while."),
        h("li", {}, h("b", {}, "Crash it"), " while a tool runs. All its memory is gone."),
        h("li", {}, h("b", {}, "Watch"), " it go on: what had finished is not done twice.")),
      h("div", { class: "suggestions" }, ...SUGGESTIONS.map((text) => h("button", { type: "button", onclick: () => this.#events.onSuggest(text) }, text))));
  }
}

const textOf = ({ pieces }: Saying): string => pieces.map((piece) => (piece.kind === "text" ? piece.text : "")).join("\n");
