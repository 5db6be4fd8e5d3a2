// The conformance suite of the persistence contract: what src/stores/contract.ts promises, on a storage engine of your own, as
// cases that any test runner can run. An engine passes its own suite (engine-suite.ts) first.

import type { AttachmentHome } from "../stores/attachment-home.ts";
import type { OpenEngine } from "./engine-suite.ts";
import { cancelCases } from "./persistence/cancel-cases.ts";
import { configCases } from "./persistence/config-cases.ts";
import { contentCases } from "./persistence/content-cases.ts";
import { crashCases } from "./persistence/crash-cases.ts";
import { damageCases } from "./persistence/damage-cases.ts";
import { runCase } from "./persistence/harness.ts";
import { inputCases } from "./persistence/input-cases.ts";
import { turnInputCases } from "./persistence/turn-input-cases.ts";
import { workTurnCases } from "./persistence/work-turn-cases.ts";
import { leaseCases } from "./persistence/lease-cases.ts";
import { messageCases } from "./persistence/message-cases.ts";
import { maintenanceCases } from "./persistence/maintenance-cases.ts";
import { parkCases } from "./persistence/park-cases.ts";
import { regionCases } from "./persistence/region-cases.ts";
import { queueCases } from "./persistence/queue-cases.ts";
import { sessionCases } from "./persistence/session-cases.ts";
import { turnCases } from "./persistence/turn-cases.ts";
import { waitCases } from "./persistence/wait-cases.ts";

export interface PersistenceSuiteCase {
  /** The case or requirement of the contract; cases that look at the same fact of several rows share one. */
  readonly id: string;
  readonly title: string;
  /**
   * Rejects with an explanation when the fact does not hold.
   *
   * @param open - the storage of this case, as for engine cases.
   * @param attachments - an empty home for the bytes of attachments; default: the storage itself. The cases C-47 leave it aside:
   *   they count the transactions of a store without one.
   */
  run(open: OpenEngine, attachments?: AttachmentHome): Promise<void>;
}

/**
 * All cases of the persistence contract. Give each its own storage.
 *
 * ```ts
 * for (const { id, title, run } of persistenceSuite()) test(`${id} ${title}`, () => run(openFreshStorage()));
 * ```
 */
export function persistenceSuite(): readonly PersistenceSuiteCase[] {
  const all = [
    ...sessionCases,
    ...leaseCases,
    ...turnCases,
    ...configCases,
    ...cancelCases,
    ...queueCases,
    ...inputCases,
    ...turnInputCases,
    ...workTurnCases,
    ...contentCases,
    ...messageCases,
    ...maintenanceCases,
    ...waitCases,
    ...parkCases,
    ...regionCases,
    ...damageCases,
    ...crashCases,
  ];
  return all.map((each) => ({ id: each.id, title: each.title, run: (open, attachments) => runCase(each, open, each.id === "C-47" ? undefined : attachments) }));
}
