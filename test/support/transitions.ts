// The transitions that a chart declares, and those that an event takes, by readable names.

import type { AnyStateMachine, AnyTransitionDefinition, EventObject, SnapshotFrom } from "xstate";

const nameOf = ({ source, eventType, target, guard }: AnyTransitionDefinition): string =>
  `${source.id} --${eventType}${typeof guard === "string" ? ` [${guard}]` : ""}--> ${(target ?? []).map(({ id }) => id).join()}`;

export function declaredTransitions(machine: AnyStateMachine): Set<string> {
  const nodes = [machine.root];
  const names = new Set<string>();
  for (let node = nodes.pop(); node; node = nodes.pop()) {
    nodes.push(...Object.values(node.states));
    for (const group of node.transitions.values()) for (const each of group) names.add(nameOf(each));
  }
  return names;
}

export function takenTransitions(machine: AnyStateMachine, snapshot: SnapshotFrom<AnyStateMachine>, event: EventObject): readonly string[] {
  return (machine.getTransitionData(snapshot, event) as readonly AnyTransitionDefinition[]).map(nameOf);
}
