// Which provider a session speaks to (PP-26 to PP-28). Sessions record an id; live providers come from the host.

import type { Provider } from "./contract.ts";

/** Finds a live provider by its id; asked again on every open, by workers and by recovery (PP-28). */
export type ProviderResolver = (providerId: string) => Provider | undefined;

/** Why no provider can be bound: terminal, and found before anything is sent. */
export type BindingProblem =
  | { readonly code: "provider_unconfigured" }
  | { readonly code: "provider_unavailable"; readonly providerId: string }
  | { readonly code: "provider_mismatch"; readonly expected: string; readonly actual: string };

export type BindingResult =
  | { readonly ok: true; readonly provider: Provider }
  | { readonly ok: false; readonly problem: BindingProblem };

/** Binds the recorded id. A session never switches providers silently: the host has to configure the new one. */
export function bindProvider(recordedId: string, resolve: ProviderResolver): BindingResult {
  if (recordedId.trim() === "") return refused({ code: "provider_unconfigured" });
  const provider = resolve(recordedId);
  if (provider === undefined) return refused({ code: "provider_unavailable", providerId: recordedId });
  if (provider.id === recordedId) return { ok: true, provider };
  return refused({ code: "provider_mismatch", expected: recordedId, actual: provider.id });
}

const refused = (problem: BindingProblem): BindingResult => ({ ok: false, problem });
