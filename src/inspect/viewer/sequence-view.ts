// Messages between the actors of one session, as a sequence diagram. Only the rows in sight exist.
import { activePaths } from "../chart.ts";
import { h, s } from "./dom.ts";
import { effectIdOf } from "./effect-states.ts";
import { countBelow, type Entry, type Timeline, type Track } from "./timeline.ts";

const ROW = 30;
const LEFT = 72;
const LEAST_LANE = 124;
const LEAST_LANE_PHONE = 100;
const MOST_LANE = 230;
/** Lanes are those of actors that appear this many rows around the ones in sight: long runs have more actors than a page has room. */
const AROUND = 150;

export class SequenceView {
  private readonly head = h("div", { class: "lanes" });
  private readonly space = h("div", { class: "seq-space" });
  private readonly svg = s("svg", { class: "seq-svg" });
  /** Its own marker: those of the chart vanish with the chart's panel. */
  private readonly marker = s("defs", {}, s("marker", { id: "message-arrow", class: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto", markerUnits: "userSpaceOnUse" }, s("path", { d: "M0.5 0.8 7.5 4 0.5 7.2z" })));
  private timeline: Timeline | undefined;
  private group: string | undefined;
  private rows: readonly number[] = [];
  private shown = 0;
  private position = 0;
  private selected: string | undefined;
  private painted = "";
  private height = 0;
  private readonly host: HTMLElement;
  private readonly onPick: (position: number) => void;

  constructor(host: HTMLElement, onPick: (position: number) => void, onSelect: (key: string) => void) {
    this.host = host;
    this.onPick = onPick;
    this.space.append(this.svg);
    host.append(this.head, this.space);
    host.addEventListener("scroll", () => this.paint());
    new ResizeObserver(() => {
      // A hidden panel has no height to scroll within: what it should show is revealed when it appears.
      if (this.height === 0 && host.clientHeight > 0) this.reveal(this.shown === this.rows.length);
      this.height = host.clientHeight;
      this.paint();
    }).observe(host);
    const select = (event: Event): void => {
      const key = event.target instanceof Element ? event.target.closest("[data-key]")?.getAttribute("data-key") : undefined;
      if (key) onSelect(key);
    };
    // Pressed, not clicked: a live diagram may replace the button before it is released. Keys still click.
    this.head.addEventListener("pointerdown", select);
    this.head.addEventListener("click", select);
    this.svg.addEventListener("click", (event) => {
      const target = event.target instanceof Element ? event.target.closest("[data-position]") : null;
      if (target) this.onPick(Number(target.getAttribute("data-position")));
    });
  }

  update(timeline: Timeline, group: string | undefined, position: number, selected: string | undefined, live: boolean): void {
    const stays = group === this.group && position === this.position && selected === this.selected && timeline === this.timeline;
    this.timeline = timeline;
    this.group = group;
    this.position = position;
    this.selected = selected;
    this.rows = group === undefined ? [] : (timeline.rows.get(group) ?? []);
    this.shown = countBelow(this.rows, position);
    // Later rows stay in place, faint: stepping back must not make the page jump.
    this.space.style.height = `${this.rows.length * ROW + 12}px`;
    if (!stays) this.reveal(live);
    this.paint();
  }

  private reveal(live: boolean): void {
    const top = (this.shown - 1) * ROW;
    const room = this.host.clientHeight - this.head.offsetHeight;
    if (live) this.host.scrollTop = this.host.scrollHeight;
    else if (top < this.host.scrollTop + ROW || top + ROW * 2 > this.host.scrollTop + room) this.host.scrollTop = Math.max(0, top - room * 0.6);
  }

  private paint(): void {
    const timeline = this.timeline;
    if (!timeline) return;
    const first = Math.max(0, Math.floor(this.host.scrollTop / ROW) - 6);
    const last = Math.min(this.rows.length, Math.ceil((this.host.scrollTop + this.host.clientHeight) / ROW) + 6);
    const state = [this.group, first, last, this.rows[0], this.rows.at(-1), this.shown, this.selected, this.host.clientWidth].join("|");
    if (state === this.painted) return;
    this.painted = state;
    const lanes = this.lanes(timeline, first, last);
    const least = this.host.clientWidth < 480 ? LEAST_LANE_PHONE : LEAST_LANE;
    const width = Math.max(least, Math.min(MOST_LANE, (this.host.clientWidth - LEFT - 12) / Math.max(1, lanes.length)));
    const x = new Map(lanes.map((track, index) => [track.key, LEFT + width * (index + 0.5)]));
    const total = LEFT + width * lanes.length + 12;
    this.space.style.width = this.head.style.width = `${Math.max(total, this.host.clientWidth - 2)}px`;
    this.head.replaceChildren(
      ...lanes.map((track) => {
        const lane = h("button", { class: `lane${track.key === this.selected ? " selected" : ""}`, type: "button", title: track.name, "data-key": track.key }, h("b", {}, track.kind), track.short === "" ? undefined : ` ${track.short}`);
        lane.style.left = `${(x.get(track.key) ?? 0) - width / 2 + 4}px`;
        lane.style.width = `${width - 8}px`;
        return lane;
      }),
    );
    const height = (last - first) * ROW;
    this.svg.setAttribute("width", String(total));
    this.svg.setAttribute("height", String(height + 12));
    this.svg.style.transform = `translateY(${first * ROW}px)`;
    const lifelines = lanes.map((track) => {
      const born = Math.max(0, (countBelow(this.rows, track.born) - first) * ROW + ROW / 2);
      return s("line", { class: "lifeline", x1: x.get(track.key) ?? 0, x2: x.get(track.key) ?? 0, y1: Math.min(born, height), y2: height + 12 });
    });
    const start = this.startTime(timeline);
    const drawn = this.rows.slice(first, last).flatMap((position, index) => {
      const entry = timeline.at(position);
      return entry ? [this.row(entry, position, index * ROW, x, total, start, first + index)] : [];
    });
    this.svg.replaceChildren(this.marker, ...lifelines, ...drawn);
  }

  private startTime(timeline: Timeline): number {
    const first = timeline.at(this.rows[0] ?? -1);
    return first?.record.at ?? 0;
  }

  private lanes(timeline: Timeline, first: number, last: number): readonly Track[] {
    const keys = new Set<string>();
    for (let index = Math.max(0, first - AROUND); index < Math.min(this.rows.length, last + AROUND); index += 1) {
      const entry = timeline.at(this.rows[index] ?? -1);
      if (!entry || entry.kind === "skipped") continue;
      keys.add(entry.to);
      if (entry.kind === "event" && entry.from !== undefined) keys.add(entry.from);
    }
    return [...keys].flatMap((key) => timeline.tracks.get(key) ?? []).filter((track) => track.group === this.group).sort((a, b) => a.born - b.born);
  }

  private row(entry: Entry, position: number, y: number, x: ReadonlyMap<string, number>, total: number, start: number, index: number): SVGGElement {
    const current = index === this.shown - 1;
    const group = s("g", { class: `row ${entry.kind}${index >= this.shown ? " later" : ""}${current ? " current" : ""}`, "data-position": position, transform: `translate(0 ${y})` });
    group.append(s("rect", { class: "hit", x: 0, y: 0, width: total, height: ROW }));
    if (entry.kind === "skipped") {
      group.append(s("text", { class: "when", x: LEFT, y: 19 }, `${entry.record.events} events left out under load`));
      return group;
    }
    group.append(s("text", { class: "when", x: LEFT - 14, y: 19, "text-anchor": "end" }, since(entry.record.at - start)));
    const to = x.get(entry.to) ?? LEFT;
    if (entry.kind === "actor") group.append(s("circle", { class: "birth", cx: to, cy: 15, r: 4.5 }), s("text", { class: "note", x: to + 10, y: 19 }, "created"));
    else if (entry.kind === "snapshot") group.append(...pill(entry.record.snapshot.value, entry.record.snapshot.status, to));
    else group.append(...arrow(entry.from === undefined ? undefined : x.get(entry.from), to, entry.record.event.type, effectIdOf(entry.record.event)));
    return group;
  }
}

function pill(value: unknown, status: string, x: number): readonly SVGElement[] {
  const paths = activePaths(value);
  const leaves = paths.filter((path) => !paths.some((other) => other.startsWith(`${path}.`)));
  const text = shorten(leaves.map((path) => path.slice(path.lastIndexOf(".") + 1)).join(" · ") || status, 26);
  const width = text.length * 6.3 + 20;
  return [
    s("rect", { class: `pill ${status}`, x: x - width / 2, y: 5, width, height: 20, rx: 10 }),
    s("text", { class: `pill-text ${status}`, x, y: 18.5, "text-anchor": "middle" }, text, s("title", {}, leaves.join("\n"))),
  ];
}

function arrow(from: number | undefined, to: number, type: string, effectId: string): readonly SVGElement[] {
  const label = type.startsWith("xstate.done.actor.") ? "done" : type === "xstate.init" ? "start" : type;
  const text = effectId === "" ? label : `${label} #${effectId}`;
  if (from === undefined || from === to) {
    // From outside the actor system, or from lanes that are not shown.
    return [
      s("circle", { class: "outside", cx: to - 30, cy: 15, r: 2.5 }),
      s("path", { class: "message", d: `M${to - 27} 15H${to - 3}`, "marker-end": "url(#message-arrow)" }),
      s("text", { class: "message-text", x: to + 9, y: 18.5 }, shorten(text, 26), s("title", {}, type)),
    ];
  }
  const direction = to > from ? 1 : -1;
  return [
    s("path", { class: "message", d: `M${from + direction * 2} 21H${to - direction * 3}`, "marker-end": "url(#message-arrow)" }),
    s("text", { class: "message-text", x: (from + to) / 2, y: 16, "text-anchor": "middle" }, shorten(text, Math.max(20, Math.floor(Math.abs(to - from) / 6))), s("title", {}, type)),
  ];
}

/** Time since the first row: `+3.2 ms`, `+14.08 s`, `+2:05`. */
export function since(ms: number): string {
  if (ms < 1000) return `+${ms.toFixed(1)} ms`;
  if (ms < 60_000) return `+${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.floor(ms / 1000);
  return `+${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
