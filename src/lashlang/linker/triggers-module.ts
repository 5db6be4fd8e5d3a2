// The module that every host with the trigger ability offers (section 11.1 of the language).
import type { ModuleInput } from "./environment-builder.ts";

export const TRIGGERS_RESOURCE_TYPE = "Triggers";

/** What its arguments must look like is checked where it is called, beyond what a type can say. */
export const TRIGGERS_MODULE: ModuleInput = {
  path: "triggers",
  resourceType: TRIGGERS_RESOURCE_TYPE,
  operations: {
    register: { hostOperation: "triggers.register" },
    list: { hostOperation: "triggers.list" },
    cancel: { hostOperation: "triggers.cancel", output: "bool" },
  },
};
