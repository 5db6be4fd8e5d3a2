import type { ActorSystem, ActorSystemInfo, AnyActorRef, EventObject } from "xstate";

/**
 * Sends an event in the name of an actor, so that inspectors draw the arrow from it. The relay is what XState's own
 * `sendTo` ends in; it is not in the types, so this is the one file that knows it. Without it the event still arrives.
 */
export function sendFrom(source: AnyActorRef, target: AnyActorRef, event: EventObject): void {
  const system = source.system as ActorSystem<ActorSystemInfo> & { _relay?: (source: AnyActorRef, target: AnyActorRef, event: EventObject) => void };
  if (system._relay) system._relay(source, target, event);
  else target.send(event);
}
