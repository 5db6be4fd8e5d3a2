// Draws a placed chart as SVG and lights it. Drawing happens once per chart; lighting only switches classes.
import { activePaths, type Chart } from "../chart.ts";
import type { Step } from "../records.ts";
import { placeChart, SMALL_SIZE, TITLE_SIZE, type PlacedChart, type PlacedEdge } from "./chart-layout.ts";
import { h, s } from "./dom.ts";

export interface Lighting {
  readonly value: unknown;
  readonly visited: ReadonlySet<string>;
  /** Transitions just taken. */
  readonly steps: readonly Step[];
}

interface Drawn { readonly chart: Chart; readonly placed: PlacedChart; readonly states: ReadonlyMap<string, SVGGElement>; readonly edges: readonly (readonly [PlacedEdge, SVGGElement])[] }

const FONT = 'ui-sans-serif, Inter, system-ui, -apple-system, "Segoe UI", sans-serif';
/** Below this the titles cannot be read: the view then follows the active states instead of showing all. */
const READABLE = 0.62;
/** Below this labels are left out and titles grow to fill their boxes. */
const FAR = 0.6;

export class ChartView {
  private readonly svg = s("svg", { class: "chart-svg", role: "img" });
  private readonly camera = s("g");
  private readonly empty = h("p", { class: "empty" }, "Select an actor to see its chart.");
  private drawn: Drawn | undefined;
  private wanted: Chart | undefined;
  private lighting: Lighting | undefined;
  private readonly placing = new Map<Chart, Promise<PlacedChart>>();
  private scale = 1;
  private offset = { x: 0, y: 0 };
  /** Until the reader moves the picture, it keeps the active states in sight. */
  private following = true;
  private readonly host: HTMLElement;

  constructor(host: HTMLElement) {
    this.host = host;
    this.svg.append(
      s("defs", {}, ...["", "-lit"].map((kind) => s("marker", { id: `arrow${kind}`, class: `arrow${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse", markerUnits: "userSpaceOnUse" }, s("path", { d: "M0.5 0.8 7.5 4 0.5 7.2z" })))),
      this.camera,
    );
    host.append(this.svg, this.empty);
    this.listen();
    new ResizeObserver(() => this.fit()).observe(host);
  }

  /** Shows this chart; undefined for actors that have none. */
  show(chart: Chart | undefined, message: string): void {
    this.empty.textContent = message;
    this.empty.hidden = chart !== undefined;
    if (chart === this.wanted) return;
    this.wanted = chart;
    this.lighting = undefined;
    if (!chart) {
      this.drawn = undefined;
      this.camera.replaceChildren();
      return;
    }
    const placing = this.placing.get(chart) ?? placeChart(chart, measure);
    this.placing.set(chart, placing);
    placing.then((placed) => this.arrive(chart, placed)).catch((problem: unknown) => {
      this.empty.hidden = false;
      this.empty.textContent = `This chart cannot be drawn: ${String(problem)}`;
    });
  }

  private arrive(chart: Chart, placed: PlacedChart): void {
    if (this.wanted !== chart) return;
    this.draw(chart, placed);
    this.fit();
    if (this.lighting) this.light(this.lighting);
  }

  light(lighting: Lighting): void {
    this.lighting = lighting;
    if (!this.drawn) return;
    const active = new Set(activePaths(lighting.value));
    for (const [path, element] of this.drawn.states) {
      element.classList.toggle("active", active.has(path));
      element.classList.toggle("visited", path !== "" && !active.has(path) && lighting.visited.has(path));
    }
    for (const [edge, element] of this.drawn.edges) {
      const taken = lighting.steps.some(([source, event, target]) => edge.source === source && edge.target === target && edge.transitions.some((transition) => transition.event === event));
      element.classList.toggle("taken", taken);
      element.classList.toggle("open", !taken && edge.source !== "" && active.has(edge.source));
    }
    this.svg.setAttribute("aria-label", `${this.drawn.chart.id}: ${[...active].join(", ") || "no active state"}`);
    if (this.following && this.fitScale() < READABLE) this.center();
  }

  /** Shows the whole chart, or follows the active states when that would be too small to read. */
  fit(): void {
    if (!this.drawn) return;
    this.following = true;
    const fit = this.fitScale();
    this.scale = fit < READABLE ? Math.max(0.72, Math.min(0.9, (this.host.clientWidth - 24) / this.drawn.placed.width)) : fit;
    this.center();
  }

  /** The whole chart, however small. */
  overview(): void {
    if (!this.drawn) return;
    this.following = false;
    this.scale = this.fitScale();
    this.center();
  }

  private fitScale(): number {
    const placed = this.drawn?.placed;
    const { clientWidth, clientHeight } = this.host;
    if (!placed || clientWidth === 0) return 1;
    return Math.min(1.15, (clientWidth - 24) / placed.width, (clientHeight - 24) / placed.height);
  }

  private center(): void {
    const drawn = this.drawn;
    if (!drawn) return;
    const { clientWidth, clientHeight } = this.host;
    const { width, height } = drawn.placed;
    const focus = this.focus() ?? { x: width / 2, y: height / 2 };
    this.offset = {
      x: place(clientWidth, width * this.scale, focus.x * this.scale),
      y: place(clientHeight, height * this.scale, focus.y * this.scale),
    };
    this.move();
  }

  /** Middle of the innermost active states. */
  private focus(): { readonly x: number; readonly y: number } | undefined {
    const active = new Set(activePaths(this.lighting?.value));
    const leaves = (this.drawn?.placed.states ?? []).filter(({ state }) => active.has(state.path) && !state.children.some((child) => active.has(child.path)));
    if (leaves.length === 0) return undefined;
    const sum = leaves.reduce((total, box) => ({ x: total.x + box.x + box.width / 2, y: total.y + box.y + box.height / 2 }), { x: 0, y: 0 });
    return { x: sum.x / leaves.length, y: sum.y / leaves.length };
  }

  private move(): void {
    this.svg.classList.toggle("far", this.scale < FAR);
    this.camera.style.transform = `translate(${this.offset.x}px, ${this.offset.y}px) scale(${this.scale})`;
  }

  private draw(chart: Chart, placed: PlacedChart): void {
    const states = new Map<string, SVGGElement>();
    const boxes = placed.states.map(({ state, x, y, width, height, depth, lines }) => {
      const radius = state.children.length > 0 ? 12 : 9;
      const group = s(
        "g",
        { class: `state ${state.kind}${depth === 0 ? " machine" : ""}`, "data-path": state.path },
        s("title", {}, [state.path || chart.id, state.description, state.entry.length > 0 ? `on entry: ${state.entry.join(", ")}` : undefined].filter((part) => part !== undefined).join("\n")),
        s("rect", { class: "box", x, y, width, height, rx: radius }),
        state.kind === "final" ? s("rect", { class: "inner", x: x + 3, y: y + 3, width: width - 6, height: height - 6, rx: radius - 3 }) : undefined,
        s("text", { class: "title", x: state.children.length > 0 ? x + 14 : x + width / 2, y: y + 19.5, "font-size": TITLE_SIZE, "text-anchor": state.children.length > 0 ? "start" : "middle" }, depth === 0 ? chart.id : state.key),
        ...lines.map((line, index) => s("text", { class: "line", x: state.children.length > 0 ? x + 14 : x + 10, y: y + 35 + index * 15, "font-size": SMALL_SIZE }, line)),
      );
      const title = depth === 0 ? chart.id : state.key;
      const room = (width - 12) / Math.max(1, measure(title, TITLE_SIZE));
      group.style.setProperty("--far", `${Math.min(state.children.length > 0 ? 22 : 18, TITLE_SIZE * room).toFixed(1)}px`);
      states.set(state.path, group);
      return group;
    });
    const edges = placed.edges.map((edge): readonly [PlacedEdge, SVGGElement] => {
      const group = s("g", { class: edge.source === "" ? "edge start" : "edge" }, s("path", { d: rounded(edge.points, 7), "marker-end": "url(#arrow)" }), s("path", { class: "glow", d: rounded(edge.points, 7), "marker-end": "url(#arrow-lit)" }));
      if (edge.label) {
        const { x, y, width, height, lines } = edge.label;
        group.append(s("rect", { class: "paper", x, y, width, height, rx: 4 }));
        const row = (index: number, ...content: (SVGElement | string)[]): SVGElement => s("text", { class: "label", x: x + width / 2, y: y + 11 + index * 13, "font-size": SMALL_SIZE, "text-anchor": "middle" }, ...content);
        let index = 0;
        for (const line of lines) {
          const guard = line.guard === undefined ? [] : [s("tspan", { class: "guard" }, `${line.broken ? "" : " "}[${line.guard}]`)];
          if (line.broken) group.append(...(line.event === "" ? [] : [row(index++, line.event)]), row(index++, ...guard));
          else group.append(row(index++, line.event, ...guard));
        }
      }
      return [edge, group];
    });
    this.camera.replaceChildren(...boxes, ...edges.map(([, group]) => group), ...placed.starts.map(([cx, cy]) => s("circle", { class: "dot", cx, cy, r: 4 })));
    this.drawn = { chart, placed, states, edges };
  }

  private listen(): void {
    const pointers = new Map<number, { x: number; y: number }>();
    const zoom = (factor: number, x: number, y: number): void => {
      const scale = Math.min(3, Math.max(0.08, this.scale * factor));
      this.offset = { x: x - ((x - this.offset.x) * scale) / this.scale, y: y - ((y - this.offset.y) * scale) / this.scale };
      this.scale = scale;
      this.following = false;
      this.move();
    };
    this.svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { left, top } = this.svg.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 200), event.clientX - left, event.clientY - top);
      else {
        this.offset = { x: this.offset.x - event.deltaX, y: this.offset.y - event.deltaY };
        this.following = false;
        this.move();
      }
    }, { passive: false });
    this.svg.addEventListener("pointerdown", (event) => {
      this.svg.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    });
    this.svg.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = { x: event.clientX, y: event.clientY };
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const { left, top } = this.svg.getBoundingClientRect();
        zoom(distance(now, other) / Math.max(1, distance(before, other)), (now.x + other.x) / 2 - left, (now.y + other.y) / 2 - top);
      } else {
        this.offset = { x: this.offset.x + now.x - before.x, y: this.offset.y + now.y - before.y };
        this.following = false;
        this.move();
      }
      pointers.set(event.pointerId, now);
    });
    for (const type of ["pointerup", "pointercancel"] as const) this.svg.addEventListener(type, (event) => pointers.delete(event.pointerId));
    this.svg.addEventListener("dblclick", () => this.fit());
  }
}

/** Offset that centers `focus` without showing more empty space than needed. */
function place(room: number, size: number, focus: number): number {
  if (size + 24 <= room) return (room - size) / 2;
  return Math.min(12, Math.max(room - size - 12, room / 2 - focus));
}

function rounded(points: PlacedEdge["points"], radius: number): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${first[0]} ${first[1]}`;
  rest.forEach(([x, y], index) => {
    const next = rest[index + 1];
    const before = index === 0 ? first : rest[index - 1];
    if (!next || !before) {
      path += `L${x} ${y}`;
      return;
    }
    const enter = toward([x, y], before, radius);
    const leave = toward([x, y], next, radius);
    path += `L${enter[0]} ${enter[1]}Q${x} ${y} ${leave[0]} ${leave[1]}`;
  });
  return path;
}

function toward([x, y]: readonly [number, number], [towardX, towardY]: readonly [number, number], most: number): readonly [number, number] {
  const length = Math.hypot(towardX - x, towardY - y);
  const part = length === 0 ? 0 : Math.min(most, length / 2) / length;
  return [x + (towardX - x) * part, y + (towardY - y) * part];
}

function distance(a: { x: number; y: number }, b: { x: number; y: number }): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

const ruler = document.createElement("canvas").getContext("2d");

function measure(text: string, size: number): number {
  if (!ruler) return text.length * size * 0.58;
  ruler.font = `500 ${size}px ${FONT}`;
  return ruler.measureText(text).width;
}
