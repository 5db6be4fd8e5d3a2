// The chart of the turn that runs, drawn by the modules of the local viewer.

import { activePaths } from "../../src/inspect/chart.ts";
import type { InspectRecord } from "../../src/inspect/index.ts";
import { ChartView } from "../../src/inspect/viewer/chart-view.ts";
import { setText } from "../../src/inspect/viewer/dom.ts";
import { countBelow, Timeline, type Track } from "../../src/inspect/viewer/timeline.ts";

export class ChartPanel {
  readonly #timeline = new Timeline(20_000);
  readonly #chart: ChartView;
  readonly #state: HTMLElement;
  #visited = new Set<string>();
  /** Position up to which `#visited` knows. */
  #upTo = 0;
  #shown: string | undefined;
  #due = false;

  constructor(host: HTMLElement, state: HTMLElement) {
    this.#chart = new ChartView(host);
    this.#state = state;
    this.#chart.show(undefined, "Ask something: the turn appears here as the state chart that runs it.");
  }

  add(run: string, records: readonly InspectRecord[]): void {
    this.#timeline.enter(run);
    for (const record of records) this.#timeline.add(record);
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#paint();
    });
  }

  /** The runtime behind it is gone; the picture stays as it was. */
  die(): void {
    setText(this.#state, "gone");
    this.#state.className = "state-name dead";
  }

  #paint(): void {
    const track = this.#newestTurn();
    if (!track) return;
    if (track.key !== this.#shown) {
      this.#shown = track.key;
      this.#visited = new Set();
      this.#upTo = 0;
    }
    this.#visit(track);
    const position = this.#timeline.end;
    const snapshot = this.#timeline.snapshotAt(track.key, position);
    const active = activePaths(snapshot?.snapshot.value);
    this.#chart.show(track.chart, "");
    this.#chart.light({ value: snapshot?.snapshot.value, visited: this.#visited, steps: snapshot?.steps ?? [] });
    setText(this.#state, (active.at(-1) ?? "").replaceAll(".", " › "));
    this.#state.className = "state-name";
  }

  /** Also what was passed between two pictures. */
  #visit(track: Track): void {
    for (let index = countBelow(track.moves, this.#upTo); index < track.moves.length; index++) {
      const entry = this.#timeline.at(track.moves[index] ?? -1);
      if (entry?.kind !== "snapshot") continue;
      for (const path of activePaths(entry.record.snapshot.value)) this.#visited.add(path);
      for (const [source] of entry.record.steps ?? []) this.#visited.add(source);
    }
    this.#upTo = this.#timeline.end;
  }

  #newestTurn(): Track | undefined {
    let newest: Track | undefined;
    for (const track of this.#timeline.tracks.values()) if (track.kind === "turn" && track.chart && (!newest || track.born >= newest.born)) newest = track;
    return newest;
  }
}
