// Where in the recording we look: a slider over all records, with a mark wherever the selected machine changed state.
import { byId, setText } from "./dom.ts";
import { since } from "./sequence-view.ts";
import type { Timeline, Track } from "./timeline.ts";

export interface TimeBarEvents {
  readonly onSeek: (position: number) => void;
  readonly onStep: (direction: 1 | -1) => void;
  readonly onPause: () => void;
}

export class TimeBar {
  private readonly slider = byId("time", HTMLInputElement);
  private readonly where = byId("where", HTMLElement);
  private readonly pause = byId("pause", HTMLButtonElement);
  private readonly marks = byId("marks", HTMLCanvasElement);
  private painted = "";

  constructor({ onSeek, onStep, onPause }: TimeBarEvents) {
    this.slider.addEventListener("input", () => onSeek(Number(this.slider.value)));
    this.pause.addEventListener("click", onPause);
    byId("back", HTMLButtonElement).addEventListener("click", () => onStep(-1));
    byId("forward", HTMLButtonElement).addEventListener("click", () => onStep(1));
    new ResizeObserver(() => (this.painted = "")).observe(this.marks);
  }

  /** @param mode - `live`: at the end of a stream; `paused`: before it; `file` and `playing`: in a recording. */
  update(timeline: Timeline, position: number, mode: "live" | "paused" | "file" | "playing", track: Track | undefined): void {
    const moving = mode === "live" || mode === "playing";
    this.slider.min = String(timeline.start);
    this.slider.max = String(timeline.end);
    this.slider.value = String(position);
    this.slider.disabled = timeline.end === timeline.start;
    const entry = timeline.at(position - 1);
    const first = timeline.at(timeline.start);
    const time = entry && first ? since(entry.record.at - first.record.at) : "";
    const behind = timeline.end - position;
    setText(this.where, `${time}  ${position - timeline.start} / ${timeline.end - timeline.start}${moving || behind === 0 ? "" : `  (${behind} later)`}`);
    this.slider.setAttribute("aria-valuetext", `record ${position - timeline.start} of ${timeline.end - timeline.start}, ${time}`);
    this.pause.classList.toggle("live", moving);
    setText(this.pause, moving ? "Pause" : mode === "file" ? "Play" : "Go live");
    this.paintMarks(timeline, track);
  }

  private paintMarks(timeline: Timeline, track: Track | undefined): void {
    const { clientWidth: width, clientHeight: height } = this.marks;
    const scale = window.devicePixelRatio;
    const painted = [timeline.start, timeline.end, track?.key, track?.moves.length, width, document.documentElement.dataset["theme"]].join();
    if (painted === this.painted || width === 0) return;
    this.painted = painted;
    this.marks.width = width * scale;
    this.marks.height = height * scale;
    const context = this.marks.getContext("2d");
    if (!context || !track) return;
    context.scale(scale, scale);
    context.fillStyle = getComputedStyle(this.marks).color;
    const total = Math.max(1, timeline.end - timeline.start);
    let last = -2;
    for (const move of track.moves) {
      // The slider's thumb is 14 px wide, and its middle never reaches the edges.
      const x = Math.round(7 + ((move + 1 - timeline.start) / total) * (width - 14));
      if (x < last + 2) continue;
      last = x;
      context.fillRect(x, 0, 1.5, height);
    }
  }
}
