// The effects of the selected turn, newest last, with where each of them is.
import { h } from "./dom.ts";
import type { EffectLine } from "./effect-states.ts";

export class EffectsView {
  private painted = "";
  private readonly host: HTMLElement;

  constructor(host: HTMLElement) {
    this.host = host;
  }

  show(lines: readonly EffectLine[]): void {
    const painted = lines.map((line) => `${line.effectId}:${line.state}`).join();
    if (painted === this.painted && this.host.childElementCount > 0) return;
    this.painted = painted;
    if (lines.length === 0) {
      this.host.replaceChildren(h("p", { class: "nothing" }, "No effects yet."));
      return;
    }
    this.host.replaceChildren(
      ...lines.slice(-300).map(({ effectId, kind, state, requestedAt, settledAt }) =>
        h("div", { class: "effect" },
          h("span", { class: "effect-id" }, `#${effectId}`),
          h("span", { class: "effect-kind" }, kind),
          h("span", { class: "effect-time" }, settledAt === undefined ? "" : `${(settledAt - requestedAt).toFixed(1)} ms`),
          h("span", { class: `badge ${state.replace(" ", "-")}` }, state)),
      ),
    );
    this.host.scrollTop = this.host.scrollHeight;
  }
}
