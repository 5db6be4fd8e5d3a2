// The list of actors: by session, nested by parent, filterable. Rows are reused; only what changed is written.
import { activePaths } from "../chart.ts";
import { h, setText } from "./dom.ts";
import type { Timeline, Track } from "./timeline.ts";

interface Row { readonly element: HTMLElement; readonly name: HTMLElement; readonly state: HTMLElement; key: string | undefined; group: string }
interface Line { readonly group: string; readonly track: Track | undefined; readonly depth: number; readonly count: number }

const ROW = 28;

export class ActorTree {
  private readonly rows: Row[] = [];
  private readonly space = h("div", { class: "tree-space" });
  private lines: readonly Line[] = [];
  private readonly closed = new Set<string>();
  private selected: string | undefined;
  private filter = "";
  private readonly host: HTMLElement;
  private readonly onSelect: (key: string) => void;
  private latest: { timeline: Timeline; position: number } | undefined;

  constructor(host: HTMLElement, onSelect: (key: string) => void) {
    this.host = host;
    this.onSelect = onSelect;
    host.append(this.space);
    host.addEventListener("scroll", () => this.paint());
    new ResizeObserver(() => this.paint()).observe(host);
    host.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        this.move(event.key === "ArrowDown" ? 1 : -1);
      }
    });
  }

  setFilter(filter: string): void {
    this.filter = filter.trim().toLowerCase();
    if (this.latest) this.update(this.latest.timeline, this.latest.position, this.selected);
  }

  update(timeline: Timeline, position: number, selected: string | undefined): void {
    this.latest = { timeline, position };
    const moved = selected !== this.selected;
    this.selected = selected;
    this.lines = this.arrange(timeline, position);
    this.space.style.height = `${this.lines.length * ROW}px`;
    if (moved) this.reveal();
    this.paint();
  }

  private arrange(timeline: Timeline, position: number): readonly Line[] {
    const groups = new Map<string, Track[]>();
    for (const track of timeline.tracks.values()) {
      if (track.born >= position) continue;
      if (this.filter !== "" && !track.name.toLowerCase().includes(this.filter) && !this.stateText(timeline, track, position).toLowerCase().includes(this.filter)) continue;
      const group = groups.get(track.group);
      if (group) group.push(track);
      else groups.set(track.group, [track]);
    }
    const lines: Line[] = [];
    for (const [group, tracks] of groups) {
      lines.push({ group, track: undefined, depth: 0, count: tracks.length });
      if (this.closed.has(group)) continue;
      const inside = new Set(tracks.map((track) => track.key));
      const children = new Map<string | undefined, Track[]>();
      for (const track of tracks) {
        const parent = track.parent !== undefined && inside.has(track.parent) ? track.parent : undefined;
        const list = children.get(parent);
        if (list) list.push(track);
        else children.set(parent, [track]);
      }
      const walk = (parent: string | undefined, depth: number): void => {
        for (const track of children.get(parent) ?? []) {
          lines.push({ group, track, depth, count: 0 });
          walk(track.key, depth + 1);
        }
      };
      walk(undefined, 1);
    }
    return lines;
  }

  private stateText(timeline: Timeline, track: Track, position: number): string {
    const snapshot = timeline.snapshotAt(track.key, position)?.snapshot;
    if (!snapshot) return "";
    if (snapshot.status !== "active" && snapshot.value === undefined) return snapshot.status;
    const paths = activePaths(snapshot.value);
    const leaves = paths.filter((path) => !paths.some((other) => other.startsWith(`${path}.`)));
    return leaves.map((path) => path.slice(path.lastIndexOf(".") + 1)).join(" · ");
  }

  private paint(): void {
    if (!this.latest) return;
    const { timeline, position } = this.latest;
    const first = Math.max(0, Math.floor(this.host.scrollTop / ROW) - 4);
    const last = Math.min(this.lines.length, Math.ceil((this.host.scrollTop + this.host.clientHeight) / ROW) + 4);
    while (this.rows.length < last - first) this.rows.push(this.newRow());
    this.rows.forEach((row, index) => {
      const line = this.lines[first + index];
      row.element.hidden = !line || first + index >= last;
      if (line) this.write(row, line, (first + index) * ROW, timeline, position);
    });
  }

  private write(row: Row, { group, track, depth, count }: Line, top: number, timeline: Timeline, position: number): void {
    const { element, name, state } = row;
    row.key = track?.key;
    row.group = group;
    element.style.transform = `translateY(${top}px)`;
    element.style.paddingLeft = `${10 + depth * 14}px`;
    const status = track ? timeline.snapshotAt(track.key, position)?.snapshot.status : undefined;
    const className = track ? `tree-row actor ${status ?? "active"}${track.key === this.selected ? " selected" : ""}` : `tree-row group${this.closed.has(group) ? " closed" : ""}`;
    if (element.className !== className) element.className = className;
    element.setAttribute("aria-level", String(depth + 1));
    element.setAttribute("aria-selected", String(track !== undefined && track.key === this.selected));
    element.title = track?.name ?? group;
    setText(name, track ? `${track.kind}${track.short === "" ? "" : ` ${track.short}`}` : group);
    setText(state, track ? this.stateText(timeline, track, position) : String(count));
  }

  private newRow(): Row {
    const name = h("span", { class: "tree-name" });
    const state = h("span", { class: "tree-state" });
    const element = h("div", { class: "tree-row", role: "treeitem" }, h("span", { class: "tree-dot" }), name, state);
    const row: Row = { element, name, state, key: undefined, group: "" };
    element.addEventListener("click", () => {
      if (row.key !== undefined) return this.onSelect(row.key);
      if (!this.closed.delete(row.group)) this.closed.add(row.group);
      if (this.latest) this.update(this.latest.timeline, this.latest.position, this.selected);
    });
    this.space.append(element);
    return row;
  }

  /** Selects the actor `by` lines further. */
  move(by: number): void {
    const actors = this.lines.flatMap(({ track }) => (track ? [track.key] : []));
    const now = this.selected === undefined ? -1 : actors.indexOf(this.selected);
    const next = actors[Math.max(0, Math.min(actors.length - 1, now + by))];
    if (next !== undefined) this.onSelect(next);
  }

  private reveal(): void {
    const index = this.lines.findIndex(({ track }) => track !== undefined && track.key === this.selected);
    if (index < 0) return;
    const top = index * ROW;
    if (top < this.host.scrollTop || top + ROW > this.host.scrollTop + this.host.clientHeight) this.host.scrollTop = Math.max(0, top - this.host.clientHeight / 2);
  }
}
