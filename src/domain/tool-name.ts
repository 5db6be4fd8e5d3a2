// Names of tools: what they may look like here, and what most providers make of them.

const CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./";
const MAX_CHARS = 128;

/** All that the Model Context Protocol allows. */
export const isToolName = (name: unknown): name is string =>
  typeof name === "string" && name.length >= 1 && name.length <= MAX_CHARS && [...name].every((char) => CHARACTERS.includes(char));
/** Completes "must be …". */
export const TOOL_NAME = `1 to ${MAX_CHARS} letters, digits, \`_\`, \`-\`, \`.\` or \`/\``;

const PLAIN = /[^a-zA-Z0-9_-]/g;

/**
 * The name of the tool that is meant: a model that is shown plain names writes plain names, also where it names a tool in the
 * arguments of another. The name itself where no tool or more than one is meant.
 */
export function meantTool(name: string, tools: ReadonlyMap<string, unknown>): string {
  if (tools.has(name)) return name;
  const meant = [...tools.keys()].filter((one) => one.replace(PLAIN, "_") === name);
  return meant.length === 1 && meant[0] !== undefined ? meant[0] : name;
}
