// defineQuery(), defineCommand(), defineTask(): what host and plugin both know of an operation.

import { assertId } from "../../domain/id-rules.ts";
import { invalidArgument, refuseUnknown } from "../../domain/invalid-argument.ts";
import type { Json } from "../../domain/json.ts";
import type { StandardSchema } from "../../tools/contract.ts";
import type { Operation, OperationDefinition, OperationKind } from "./contract.ts";

export interface OperationOptions<In extends StandardSchema, Out extends StandardSchema> {
  /** Unique among all operations of a session's plugins, of whatever kind. */
  readonly name: string;
  readonly description: string;
  /** What the host gives; default: any JSON. */
  readonly input?: In;
  /** What the host is given; default: any JSON. */
  readonly output?: Out;
}

type AnyJson = StandardSchema<Json>;

const anyJson: AnyJson = { "~standard": { version: 1, vendor: "lash-runtime", validate: (value) => ({ value: value as Json }) } };

const defining =
  <Kind extends OperationKind>(kind: Kind) =>
  <In extends StandardSchema = AnyJson, Out extends StandardSchema = AnyJson>(options: OperationOptions<In, Out>): OperationDefinition<Kind, In, Out> => {
    refuseUnknown(options, ["name", "description", "input", "output"], `${kind} options`);
    const { name, description, input = anyJson, output = anyJson } = options;
    if (typeof name !== "string" || name.trim() === "") throw invalidArgument(`${kind}.name`, "a name that is not blank");
    assertId(name, `${kind}.name`);
    if (typeof description !== "string") throw invalidArgument(`${kind}.description (of "${name}")`, "a text");
    for (const [field, schema] of Object.entries({ input, output })) {
      if (typeof schema["~standard"]?.validate !== "function") throw invalidArgument(`${kind}.${field} (of "${name}")`, "a Standard Schema, for example z.object({ city: z.string() })");
    }
    const definition: OperationDefinition<Kind, In, Out> = {
      kind,
      name,
      description,
      input: input as In,
      output: output as Out,
      handle: (run) => {
        if (typeof run !== "function") throw invalidArgument(`the handler of ${kind} "${name}"`, "a function");
        return { definition: definition as unknown as Operation["definition"], run: run as Operation["run"] };
      },
    };
    return definition;
  };

/** Something that a plugin can be asked about its session; it changes nothing. @throws LashError `invalid_argument` - naming the field. */
export const defineQuery = defining("query");
/** Something that a plugin does to its session, quickly. @throws LashError `invalid_argument` - naming the field. */
export const defineCommand = defining("command");
/** The same for what takes its time. @throws LashError `invalid_argument` - naming the field. */
export const defineTask = defining("task");
