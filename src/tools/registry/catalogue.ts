// Catalogue: what becomes of a registry's members before a turn offers them (PT-14, PT-37). Works on manifests as on tools.

import { toolIdOf } from "../../domain/turn-config.ts";
import { invalidTools } from "./sources.ts";

interface Named {
  readonly id?: string;
  readonly name: string;
}

export interface CatalogueInputs<Tool extends Named> {
  /** Recorded with a child session: which tools it was given, and which are kept from it. */
  readonly toolAccess?: { readonly tools?: readonly Tool[]; readonly hiddenTools?: Iterable<string> };
  /** Names that contributors take out. */
  readonly removals?: Iterable<string>;
  /** For one turn: replaces tools of the same id or name; without the base tools it is all there is. */
  readonly overlay?: { readonly tools: readonly Tool[]; readonly includeBaseTools?: boolean };
}

/**
 * Members, or the tools that a child was given in their place; less what contributors remove; with the overlay of the turn; less
 * what is hidden, by name, which nothing brings back.
 *
 * @throws LashError `tool_reconfigure_validation` - one list names an id or a name twice.
 */
export function catalogueOf<Tool extends Named>(members: readonly Tool[], { toolAccess = {}, removals = [], overlay }: CatalogueInputs<Tool>): readonly Tool[] {
  const { tools: given = [], hiddenTools = [] } = toolAccess;
  const removed = new Set(removals);
  const hidden = new Set(hiddenTools);
  const base = distinct(given.length > 0 ? given : members).filter(({ name }) => !removed.has(name));
  return overlaid(base, overlay).filter(({ name }) => !hidden.has(name));
}

function overlaid<Tool extends Named>(base: readonly Tool[], overlay: CatalogueInputs<Tool>["overlay"]): readonly Tool[] {
  if (!overlay) return base;
  const tools = distinct(overlay.tools);
  if (overlay.includeBaseTools === false) return tools;
  const ids = new Set(tools.map(toolIdOf));
  const names = new Set(tools.map(({ name }) => name));
  return [...base.filter((tool) => !ids.has(toolIdOf(tool)) && !names.has(tool.name)), ...tools];
}

function distinct<Tool extends Named>(tools: readonly Tool[]): readonly Tool[] {
  if (new Set(tools.map(toolIdOf)).size < tools.length || new Set(tools.map(({ name }) => name)).size < tools.length) {
    throw invalidTools("a catalogue names an id or a name twice", { tools: tools.map(({ name }) => name) });
  }
  return tools;
}
