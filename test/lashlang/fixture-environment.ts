// The fixture of the case files with another part here and there.
import { fixtureInput } from "../../src/lashlang/cases/fixture-environment.ts";
import { createHostEnvironment } from "../../src/lashlang/linker/environment-builder.ts";
import type { HostEnvironmentInput } from "../../src/lashlang/linker/environment-builder.ts";
import type { HostEnvironment } from "../../src/lashlang/linker/host-environment.ts";

export { fixtureInput };

/** @param changes - parts that replace those of the fixture. */
export function fixtureEnvironment(changes: HostEnvironmentInput = {}): HostEnvironment {
  return createHostEnvironment({ ...fixtureInput, ...changes });
}

export const noAbilities = { processes: false, sleep: false, processSignals: false, triggers: false };
