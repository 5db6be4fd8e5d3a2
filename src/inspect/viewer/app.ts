// The viewer: holds what is selected and when we look, and repaints at most once per frame.
//   A1. Records only go into the timeline as they come; all drawing happens in one animation frame.
//   A2. `position` undefined means live: the end, wherever it is.
import type { InspectRecord } from "../records.ts";
import { activePaths } from "../chart.ts";
import { ActorTree } from "./actor-tree.ts";
import { ChartView } from "./chart-view.ts";
import { byId, setText } from "./dom.ts";
import { effectsAt } from "./effect-states.ts";
import { EffectsView } from "./effects-view.ts";
import { JsonTree } from "./json-tree.ts";
import { SequenceView } from "./sequence-view.ts";
import { readFile } from "./sources.ts";
import { TimeBar } from "./time-bar.ts";
import { countBelow, Timeline, type Track } from "./timeline.ts";

interface Visits { readonly key: string; upTo: number; readonly paths: Set<string> }

export class ViewerApp {
  private readonly timeline = new Timeline();
  private readonly tree = new ActorTree(byId("actors", HTMLElement), (key) => this.select(key));
  private readonly chart = new ChartView(byId("chart", HTMLElement));
  private readonly sequence = new SequenceView(byId("sequence", HTMLElement), (position) => this.seek(position + 1), (key) => this.select(key));
  private readonly context = new JsonTree(byId("context", HTMLElement));
  private readonly lastEvent = new JsonTree(byId("event", HTMLElement));
  private readonly effects = new EffectsView(byId("effects", HTMLElement));
  private readonly timeBar = new TimeBar({ onSeek: (position) => this.seek(position), onStep: (direction) => this.step(direction), onPause: () => this.togglePause() });
  private selected: string | undefined;
  /** Chosen by the reader; until then a turn that appears may take the place of a lesser actor. */
  private chosen = false;
  private position: number | undefined;
  private due = false;
  private visits: Visits = { key: "", upTo: 0, paths: new Set() };
  private statusText = "";
  /** A recording is open: what streams in meanwhile is not mixed into it. */
  private inFile = false;
  private playing: ReturnType<typeof setInterval> | undefined;

  constructor() {
    this.wire();
    this.repaint();
  }

  add(records: readonly InspectRecord[], run?: string): void {
    if (this.inFile) return;
    if (run !== undefined) this.timeline.enter(run);
    for (const record of records) this.timeline.add(record);
    this.repaint();
  }

  setStatus(text: string, live: boolean): void {
    if (text === this.statusText || this.inFile) return;
    this.statusText = text;
    const status = byId("status", HTMLElement);
    setText(status, text);
    status.classList.toggle("live", live);
  }

  async openFile(file: File): Promise<void> {
    const { records, problem } = await readFile(file);
    this.say(problem);
    if (records.length === 0) return;
    this.stop();
    this.timeline.clear();
    this.selected = undefined;
    this.chosen = false;
    this.inFile = false;
    this.setStatus(file.name, false);
    this.add(records);
    this.inFile = true;
    byId("close", HTMLButtonElement).hidden = false;
    this.position = this.timeline.end;
    this.repaint();
  }

  select(key: string): void {
    this.selected = key;
    this.chosen = true;
    document.body.dataset["view"] = document.body.dataset["view"] === "actors" ? "chart" : (document.body.dataset["view"] ?? "chart");
    this.repaint();
  }

  /** Replays a recording from where we are, or from its beginning, one row at a time. */
  private play(): void {
    if (this.position === undefined || this.position >= this.timeline.end) this.seek(this.timeline.start);
    this.playing = setInterval(() => {
      this.step(1);
      if ((this.position ?? 0) >= this.timeline.end) this.stop();
    }, 120);
  }

  private stop(): void {
    clearInterval(this.playing);
    this.playing = undefined;
    this.repaint();
  }

  /** Looks at the moment after `position` records. */
  seek(position: number): void {
    this.position = Math.max(this.timeline.start, Math.min(this.timeline.end, position));
    this.repaint();
  }

  /** To the next or previous row of the selected session's diagram. */
  step(direction: 1 | -1): void {
    const now = this.position ?? this.timeline.end;
    const rows = this.timeline.rows.get(this.timeline.group(this.selected) ?? "") ?? [];
    const index = countBelow(rows, now) + (direction === 1 ? 0 : -2);
    const row = rows[index];
    if (row !== undefined) this.seek(row + 1);
    else if (direction === 1) this.seek(this.timeline.end);
    else if (direction === -1) this.seek(this.timeline.start);
  }

  togglePause(): void {
    if (this.inFile) {
      if (this.playing === undefined) this.play();
      else this.stop();
      this.repaint();
      return;
    }
    this.position = this.position === undefined ? this.timeline.end : undefined;
    this.repaint();
  }

  private repaint(): void {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.paint();
    });
  }

  private paint(): void {
    const { timeline } = this;
    const live = this.position === undefined;
    const position = Math.max(timeline.start, this.position ?? timeline.end);
    this.choose();
    const track = this.selected === undefined ? undefined : timeline.tracks.get(this.selected);
    const snapshot = track && timeline.snapshotAt(track.key, position);
    byId("welcome", HTMLElement).hidden = timeline.tracks.size > 0;
    this.tree.update(timeline, position, this.selected);
    this.chart.show(track?.chart, track ? `${track.name} has no chart: it is a ${track.kind === track.name ? "plain" : track.kind} actor without states.` : "Select an actor to see its chart.");
    if (track) this.chart.light({ value: snapshot?.snapshot.value, visited: this.visited(track, position), steps: snapshot?.steps ?? [] });
    this.sequence.update(timeline, track?.group, position, this.selected, live);
    setText(byId("selected-name", HTMLElement), track?.name ?? "");
    const status = snapshot?.snapshot.status ?? "";
    setText(byId("selected-status", HTMLElement), status);
    byId("selected-status", HTMLElement).className = `badge ${status}`;
    const { context, output, error } = snapshot?.snapshot ?? {};
    const data = { ...(output === undefined ? {} : { output }), ...(error === undefined ? {} : { error }), ...(typeof context === "object" && context !== null ? context : {}) };
    this.context.show(track?.key ?? "", snapshot ? data : undefined);
    const event = track && timeline.lastEventAt(track.key, position);
    this.lastEvent.show(`${track?.key ?? ""} event`, event?.event);
    this.effects.show(track ? effectsAt(timeline, track, position) : []);
    this.timeBar.update(timeline, position, this.inFile ? (this.playing === undefined ? "file" : "playing") : live ? "live" : "paused", track);
  }

  /** A turn is what people come to see. */
  private choose(): void {
    if (this.chosen && this.selected !== undefined && this.timeline.tracks.has(this.selected)) return;
    let best = this.selected === undefined ? undefined : this.timeline.tracks.get(this.selected);
    if (best?.kind === "turn") return;
    for (const track of this.timeline.tracks.values()) {
      if (track.kind === "turn") {
        best = track;
        break;
      }
      if (!best?.chart && (track.chart || !best)) best = track;
    }
    this.selected = best?.key;
  }

  private visited(track: Track, position: number): ReadonlySet<string> {
    if (this.visits.key !== track.key || this.visits.upTo > position) this.visits = { key: track.key, upTo: 0, paths: new Set() };
    const { visits } = this;
    for (let index = countBelow(track.moves, visits.upTo); index < track.moves.length; index += 1) {
      const move = track.moves[index] ?? 0;
      if (move >= position) break;
      const entry = this.timeline.at(move);
      if (entry?.kind !== "snapshot") continue;
      for (const path of activePaths(entry.record.snapshot.value)) visits.paths.add(path);
      // States passed within one macrostep were visited as well.
      for (const [source] of entry.record.steps ?? []) visits.paths.add(source);
    }
    visits.upTo = position;
    return visits.paths;
  }

  private wire(): void {
    const filter = byId("filter", HTMLInputElement);
    filter.addEventListener("input", () => this.tree.setFilter(filter.value));
    const picker = byId("file", HTMLInputElement);
    const open = (file: File | undefined | null): void => {
      if (file) this.openFile(file).catch((problem: unknown) => this.say(String(problem)));
    };
    picker.addEventListener("change", () => {
      open(picker.files?.[0]);
      picker.value = "";
    });
    for (const id of ["open", "open-first"]) byId(id, HTMLButtonElement).addEventListener("click", () => picker.click());
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) document.body.classList.remove("dropping");
    });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      document.body.classList.remove("dropping");
      open(event.dataTransfer?.files[0]);
    });
    byId("close", HTMLButtonElement).addEventListener("click", () => location.reload());
    byId("theme", HTMLButtonElement).addEventListener("click", () => this.toggleTheme());
    byId("fit", HTMLButtonElement).addEventListener("click", () => this.chart.fit());
    byId("overview", HTMLButtonElement).addEventListener("click", () => this.chart.overview());
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-show]")) {
      button.addEventListener("click", () => {
        document.body.dataset["view"] = button.dataset["show"] ?? "chart";
      });
    }
    document.addEventListener("keydown", (event) => this.key(event));
  }

  private key(event: KeyboardEvent): void {
    const typing = event.target instanceof HTMLInputElement && event.target.type !== "range";
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing && event.key !== "Escape") return;
    const inTree = event.target instanceof Element && event.target.closest("#actors") !== null;
    const actions: Readonly<Record<string, (() => void) | undefined>> = {
      " ": event.target instanceof HTMLButtonElement ? undefined : () => this.togglePause(),
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      ArrowUp: inTree ? undefined : () => this.tree.move(-1),
      ArrowDown: inTree ? undefined : () => this.tree.move(1),
      Home: () => this.seek(this.timeline.start),
      End: () => this.seek(this.timeline.end),
      "/": () => byId("filter", HTMLInputElement).focus(),
      Escape: () => (document.activeElement as HTMLElement | null)?.blur(),
      f: () => this.chart.fit(),
      o: () => this.chart.overview(),
      t: () => this.toggleTheme(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  private toggleTheme(): void {
    const root = document.documentElement;
    const dark = root.dataset["theme"] === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : root.dataset["theme"] === "dark";
    root.dataset["theme"] = dark ? "light" : "dark";
    this.repaint();
  }

  private say(problem: string | undefined): void {
    const element = byId("problem", HTMLElement);
    element.hidden = problem === undefined;
    setText(element, problem ?? "");
  }
}
