// One `inspect` option, several observers.
import type { InspectionEvent } from "xstate";
import type { InspectObserver } from "./tap.ts";

/** Passes every inspection event to all observers, in order; one that throws does not keep it from the others. */
export function fanOut(...observers: readonly (InspectObserver | ((event: InspectionEvent) => void))[]): InspectObserver {
  return {
    next: (event) => {
      for (const observer of observers) {
        try {
          if (typeof observer === "function") observer(event);
          else observer.next(event);
        } catch {
          // Looking must not disturb what is looked at.
        }
      }
    },
  };
}
