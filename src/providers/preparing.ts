// A provider's last pass: each request is brought into the form that the provider takes, and what it answers back into ours.

import type { LlmOrigin, LlmRequest, LlmResponse, Provider, ProviderCall } from "./contract.ts";
import { Preparer } from "./prepare/prepare-request.ts";
import { withSchemaTold } from "./prepare/output-schema.ts";
import { restoreResponse, restoringCall } from "./prepare/restore.ts";
import { wireOf, type Wire } from "./wire.ts";

/** Sends a request that is ready to be sent; may do so several times. */
export type Send = (request: LlmRequest, call: ProviderCall) => Promise<LlmResponse>;

export type Prepared = (request: LlmRequest, call: ProviderCall, send: Send) => Promise<LlmResponse>;

/** Models that one provider is asked for at a time; what is forgotten is only made again. */
const MOST_MODELS = 32;

/**
 * The pass for one provider. Done twice it changes nothing, so a provider may be given one that has its own.
 *
 * @throws TypeError when `provider.wire` is malformed; the same when that is so at a later call.
 */
export function preparing(provider: Provider): Prepared {
  wireOf(provider.wire);
  let wire: Wire | undefined;
  const preparers = new Map<string, Preparer>();
  const preparerOf = (model: string, media: LlmRequest["media"]): Preparer => {
    const declared = wireOf(provider.wire);
    if (declared !== wire || preparers.size > MOST_MODELS) preparers.clear();
    wire = declared;
    const key = media === undefined ? model : JSON.stringify([model, media]);
    const known = preparers.get(key);
    if (known !== undefined) return known;
    const fresh = new Preparer(media === undefined ? declared : { ...declared, media }, { provider: provider.id, model, sameOrigin: (a, b) => isSameOrigin(a, b, provider) });
    preparers.set(key, fresh);
    return fresh;
  };

  return async (request, call, send) => {
    const prepared = preparerOf(request.model || (provider.modelId ?? ""), request.media).prepare(withSchemaTold(request, wireOf(provider.wire)));
    return restoreResponse(await send(prepared.request, restoringCall(call, prepared)), prepared);
  };
}

/** An origin without a model is the provider's own one. */
function isSameOrigin(a: LlmOrigin, b: LlmOrigin, { modelId = "", sameOrigin }: Provider): boolean {
  const [left, right] = [a, b].map(({ provider, model }): LlmOrigin => ({ provider, model: model || modelId })) as [LlmOrigin, LlmOrigin];
  if (left.provider === right.provider && left.model === right.model) return true;
  return sameOrigin?.(left, right) === true;
}
