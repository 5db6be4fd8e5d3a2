// What model tests of charts ask: which transitions a chart declares, and which one an event takes.

import type { AnyStateMachine, AnyTransitionDefinition, EventObject, SnapshotFrom } from "xstate";

const idOf = ({ source, eventType, target, guard }: AnyTransitionDefinition): string =>
  `${source.id} --${eventType} [${typeof guard === "object" ? JSON.stringify({ ...guard, params: typeof guard["params"] === "function" ? "f" : guard["params"] }) : String(guard)}]--> ${(target ?? []).map(({ id }) => id).join()}`;

/** All transitions that a chart declares. */
export function declared(machine: AnyStateMachine): Set<string> {
  const nodes = [machine.root];
  const ids = new Set<string>();
  for (let node = nodes.pop(); node; node = nodes.pop()) {
    nodes.push(...Object.values(node.states));
    for (const group of node.transitions.values()) for (const each of group) ids.add(idOf(each));
  }
  return ids;
}

/** The transition that an event takes: the first enabled one of the deepest state that has it. */
export function taken(machine: AnyStateMachine, snapshot: SnapshotFrom<AnyStateMachine>, event: EventObject): readonly string[] {
  return (machine.getTransitionData(snapshot, event) as readonly AnyTransitionDefinition[]).map(idOf);
}
