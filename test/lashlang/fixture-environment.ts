// The host environment that language cases are linked against (section 16 of the language).
import type { HostEnvironmentInput } from "../../src/lashlang/linker/environment-builder.ts";
import { createHostEnvironment } from "../../src/lashlang/linker/environment-builder.ts";
import type { HostEnvironment } from "../../src/lashlang/linker/host-environment.ts";

export const fixtureInput: HostEnvironmentInput = {
  modules: [
    {
      path: "tools",
      resourceType: "Tools",
      operations: {
        echo: { hostOperation: "echo" },
        boom: { hostOperation: "boom" },
        err: { hostOperation: "err" },
        missing: { hostOperation: "missing" },
        read_file: { hostOperation: "read_file", input: "{ path: str }", output: "str" },
      },
    },
    { path: "files", resourceType: "Files", operations: { read: { hostOperation: "read_file" } } },
    { path: "shell", resourceType: "Shell", operations: { exec: { hostOperation: "exec_command" } } },
    { path: "agents", resourceType: "Agents", operations: { spawn: { hostOperation: "spawn_agent" } } },
  ],
  namedDataTypes: { "timer.Tick": "{ fired_at: str }" },
  constructors: [{ path: "timer.Schedule", input: "{ expr: str, tz: str? }", emits: "timer.Tick" }],
};

/** The fixture with another part here and there. */
export function fixtureEnvironment(changes: HostEnvironmentInput = {}): HostEnvironment {
  return createHostEnvironment({ ...fixtureInput, ...changes });
}

export const noAbilities = { processes: false, sleep: false, processSignals: false, triggers: false };
