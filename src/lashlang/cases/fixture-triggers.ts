// Triggers in memory: enough to register, list and cancel; nothing ever fires.
import type { Json } from "../values/json-value.ts";
import { failed, type ToolAnswer } from "./tool-answer.ts";

type Payload = { readonly [key: string]: Json };

interface Registration {
  readonly handle: Payload;
  readonly target: string;
}

export class FixtureTriggers {
  private readonly registrations = new Map<string, Registration>();
  private minted = 0;

  call(operation: string, payload: Payload): ToolAnswer {
    switch (operation) {
      case "register":
        return this.register(payload);
      case "list":
        return { value: this.list(payload) };
      case "cancel":
        return this.cancel(payload["handle"] ?? null);
      default:
        return failed(`unknown tool: triggers.${operation}`);
    }
  }

  private register({ source, target, name }: Payload): ToolAnswer {
    const type = field(source, "$lash_host_descriptor_type");
    const targetName = field(target, "process_name");
    if (typeof type !== "string" || typeof targetName !== "string") {
      return failed("trigger registration requires { source, target, inputs, name? }");
    }
    this.minted += 1;
    const id = `trigger-${this.minted}`;
    const sourceKey = `${type}:${JSON.stringify(field(source, "$lash_host_descriptor_value"))}`;
    const handle = { type: "trigger_handle", id, name: name ?? null, source_type: type, source_key: sourceKey };
    this.registrations.set(id, { handle, target: targetName });
    return { value: handle };
  }

  private list(filter: Payload): Json {
    const fits = ({ handle, target }: Registration): boolean =>
      (filter["name"] === undefined || handle["name"] === filter["name"]) &&
      (filter["source_type"] === undefined || handle["source_type"] === filter["source_type"]) &&
      (filter["target"] === undefined || target === field(filter["target"], "process_name"));
    return [...this.registrations.values()].filter(fits).map(({ handle }) => handle);
  }

  private cancel(handle: Json): ToolAnswer {
    const id = typeof handle === "string" ? handle : field(handle, "id");
    if (typeof id !== "string") return failed("trigger cancellation requires { handle }");
    return { value: this.registrations.delete(id) };
  }
}

function field(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return (value as Payload)[name];
}
