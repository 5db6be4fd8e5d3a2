// A machine config, live or as JSON from a recording, as a plain graph: states in a tree, transitions between them.
// Shared by the Mermaid text and the viewer, so that both show the same chart.

export interface Chart {
  readonly id: string;
  readonly root: ChartState;
  readonly transitions: readonly ChartTransition[];
}

export type StateKind = "atomic" | "compound" | "parallel" | "final" | "history";

export interface ChartState {
  /** Dotted keys from the root, which is `""`. */
  readonly path: string;
  readonly key: string;
  readonly kind: StateKind;
  readonly description: string | undefined;
  /** Path of the state entered first; only compound states have one. */
  readonly initial: string | undefined;
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  readonly invokes: readonly string[];
  readonly tags: readonly string[];
  readonly children: readonly ChartState[];
}

export interface ChartTransition {
  readonly source: string;
  /** Event descriptor as XState reports it (`effect.settled`, `xstate.after.500.turn.waiting`); `""` for `always`. */
  readonly event: string;
  /** The same for people: `after 500`, `always`, `done`. */
  readonly label: string;
  /** Null: no change of state, only actions (or nothing: the event is swallowed). */
  readonly target: string | null;
  readonly guard: string | undefined;
  readonly actions: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

/** @param config - `machine.config`, or the `definition` of a `lash.machine` record. */
export function chartOf(config: unknown): Chart {
  const fields = asFields(config);
  const id = typeof fields["id"] === "string" ? fields["id"] : "machine";
  const ids = new Map<string, string>();
  collectIds(fields, "", ids);
  ids.set(id, "");
  const transitions: ChartTransition[] = [];
  const root = readState(id, fields, "", { id, ids, transitions });
  return { id, root, transitions };
}

/** All states, parents before children, in the order of the source. */
export function statesOf(root: ChartState): readonly ChartState[] {
  return [root, ...root.children.flatMap(statesOf)];
}

/** @returns paths of the active states that a state value names, ancestors included, the root left out. */
export function activePaths(value: unknown): readonly string[] {
  const paths: string[] = [];
  const walk = (part: unknown, prefix: string): void => {
    if (typeof part === "string") paths.push(prefix + part);
    else if (typeof part === "object" && part !== null) {
      for (const [key, inner] of Object.entries(part)) {
        paths.push(prefix + key);
        walk(inner, `${prefix}${key}.`);
      }
    }
  };
  walk(value, "");
  return paths;
}

interface Reading { readonly id: string; readonly ids: ReadonlyMap<string, string>; readonly transitions: ChartTransition[] }

function readState(key: string, fields: Fields, path: string, reading: Reading): ChartState {
  const states = Object.entries(asFields(fields["states"]));
  const kind = kindOf(fields, states.length);
  const initial = typeof fields["initial"] === "string" ? fields["initial"] : asFields(fields["initial"])["target"];
  readTransitions(fields, path, reading);
  return {
    path,
    key,
    kind,
    description: typeof fields["description"] === "string" ? fields["description"] : undefined,
    initial: kind === "compound" && typeof initial === "string" ? join(path, initial) : undefined,
    entry: names(fields["entry"]),
    exit: names(fields["exit"]),
    invokes: list(fields["invoke"]).map((invoke) => nameOf(asFields(invoke)["src"])),
    tags: list(fields["tags"]).filter((tag): tag is string => typeof tag === "string"),
    children: states.map(([name, inner]) => readState(name, asFields(inner), join(path, name), reading)),
  };
}

function kindOf(fields: Fields, states: number): StateKind {
  if (fields["type"] === "parallel" || fields["type"] === "final" || fields["type"] === "history") return fields["type"];
  return states > 0 ? "compound" : "atomic";
}

function readTransitions(fields: Fields, source: string, reading: Reading): void {
  const add = (event: string, label: string, branches: unknown): void => {
    for (const branch of list(branches)) {
      const { target, guard, actions } = typeof branch === "string" ? { target: branch } : (asFields(branch) as { target?: unknown; guard?: unknown; actions?: unknown });
      const wanted = list(target).find((entry): entry is string => typeof entry === "string");
      reading.transitions.push({
        source,
        event,
        label,
        target: wanted === undefined ? null : resolveTarget(wanted, source, reading),
        guard: guard === undefined || guard === null ? undefined : guardName(guard),
        actions: names(actions),
      });
    }
  };
  const dotted = source === "" ? reading.id : `${reading.id}.${source}`;
  for (const [event, branches] of Object.entries(asFields(fields["on"]))) add(event, event, branches);
  add("", "always", fields["always"]);
  for (const [delay, branches] of Object.entries(asFields(fields["after"]))) add(`xstate.after.${delay}.${dotted}`, `after ${delay}`, branches);
  add(`xstate.done.state.${dotted}`, "done", fields["onDone"]);
  list(fields["invoke"]).forEach((invoke, index) => {
    const { id, onDone, onError, onSnapshot } = asFields(invoke) as { id?: unknown; onDone?: unknown; onError?: unknown; onSnapshot?: unknown };
    const name = typeof id === "string" ? id : `${index}.${dotted}`;
    const shown = nameOf(asFields(invoke)["src"]);
    add(`xstate.done.actor.${name}`, `${shown} done`, onDone);
    add(`xstate.error.actor.${name}`, `${shown} error`, onError);
    add(`xstate.snapshot.${name}`, `${shown} snapshot`, onSnapshot);
  });
}

/** XState's rules: `#id` or `#id.child` from anywhere, `.child` below the source, else a sibling of the source. */
function resolveTarget(target: string, source: string, { ids }: Reading): string {
  if (target.startsWith("#")) {
    const wanted = target.slice(1);
    for (let end = wanted.length; end > 0; end = wanted.lastIndexOf(".", end - 1)) {
      const path = ids.get(wanted.slice(0, end));
      if (path !== undefined) return join(path, wanted.slice(end + 1));
    }
    return wanted;
  }
  if (target.startsWith(".")) return join(source, target.slice(1));
  return join(source.includes(".") ? source.slice(0, source.lastIndexOf(".")) : "", target);
}

function collectIds(fields: Fields, path: string, ids: Map<string, string>): void {
  if (typeof fields["id"] === "string") ids.set(fields["id"], path);
  for (const [key, inner] of Object.entries(asFields(fields["states"]))) collectIds(asFields(inner), join(path, key), ids);
}

/** XState's `and`, `or`, `not` are functions of that name that carry their `guards`; in a recording, objects of that type. */
function guardName(guard: unknown): string {
  const { type, name, guards } = asFields(guard);
  if (!Array.isArray(guards)) return nameOf(guard);
  const parts = guards.map(guardName);
  const word = typeof guard === "function" ? name : type;
  return word === "not" ? `not ${parts.join(", ")}` : parts.join(word === "or" ? " or " : " and ");
}

function names(actions: unknown): readonly string[] {
  return list(actions).map(nameOf);
}

function nameOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "function") {
    const { type } = value as { type?: unknown };
    return typeof type === "string" ? type.replace(/^xstate\./, "") : value.name || "inline";
  }
  const { type, params } = asFields(value);
  if (typeof type !== "string") return "inline";
  // `movesTo` says little without where to; params that are computed are functions and say nothing here.
  const shown = typeof params === "object" && params !== null ? Object.values(params).filter((param) => typeof param === "string" || typeof param === "number" || typeof param === "boolean") : [];
  return `${type.replace(/^xstate\./, "")}${shown.length === 0 ? "" : `(${shown.join(", ")})`}`;
}

function join(path: string, key: string): string {
  if (key === "") return path;
  return path === "" ? key : `${path}.${key}`;
}

function list(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}

function asFields(value: unknown): Fields {
  return (typeof value === "object" || typeof value === "function") && value !== null ? (value as Fields) : {};
}
