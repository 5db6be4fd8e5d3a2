// The host environment that case files are linked against (section 16).
import { createHostEnvironment } from "../linker/environment-builder.ts";
import type { HostEnvironmentInput } from "../linker/environment-builder.ts";
import type { HostAbilities, HostEnvironment } from "../linker/host-environment.ts";
import type { CaseOptions } from "./case-file.ts";

const ABILITIES: Readonly<Record<string, keyof HostAbilities>> = {
  processes: "processes",
  sleep: "sleep",
  process_signals: "processSignals",
  triggers: "triggers",
};

/** What the fixture offers, whatever a case turns off. */
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

export function fixtureEnvironment(options: CaseOptions = {}): HostEnvironment {
  const on = (ability: string): boolean => options.abilities?.includes(ability) ?? true;
  return createHostEnvironment({
    ...fixtureInput,
    abilities: Object.fromEntries(Object.entries(ABILITIES).map(([name, key]) => [key, on(name)])),
    languageFeatures: { labelAnnotations: options.labels ?? false },
  });
}
