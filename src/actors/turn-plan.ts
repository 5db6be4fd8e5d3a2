// Turn plan: what a turn runs with. Its data part is stored with the turn (T-16); provider and tools are bound to it anew by
// every process that runs it, by id and by name (PP-26, OP-7).

import { sessionError } from "../domain/errors.ts";
import { canonicalJson } from "../domain/json.ts";
import type { SessionPolicy } from "../domain/session.ts";
import { sha256Hex } from "../domain/sha256.ts";
import type { TurnConfig } from "../domain/turn-config.ts";
import type { Provider } from "../providers/contract.ts";
import type { TurnRecord } from "../stores/contract.ts";
import type { Tool } from "../tools/contract.ts";
import type { SessionWiring } from "./ports.ts";
import type { Resident } from "./resident.ts";

/** Fixed for the whole turn. */
export interface TurnPlan {
  readonly config: TurnConfig;
  readonly provider: Provider;
  /** Those of the configuration that this process has; calls of the others answer `tool_unavailable`. */
  readonly tools: ReadonlyMap<string, Tool>;
  /** Names what the model is given beside its history; part of the envelope. */
  readonly digest: string;
}

/** What the host stated wins and is recorded by the next commit; what it left out keeps its recorded value (design 7.5). */
export function policyOf({ policy, stated }: SessionWiring, { head, headRevision }: Resident): SessionPolicy {
  if (headRevision === 0) return policy;
  return {
    providerId: head.policy.providerId,
    model: stated.model ? policy.model : head.policy.model,
    maxTurns: stated.maxTurns ? policy.maxTurns : head.policy.maxTurns,
  };
}

/** The plans of one session's turns. */
export class TurnPlans {
  readonly #wiring: SessionWiring;
  #latest: TurnPlan | undefined;

  constructor(wiring: SessionWiring) {
    this.#wiring = wiring;
  }

  /** @throws LashError `provider_unconfigured` */
  requireProvider(): Provider {
    const { sessionId, provider } = this.#wiring;
    if (provider) return provider;
    throw sessionError("provider_unconfigured", `session ${sessionId} has no provider; pass \`provider\` to createLash or openSession`, { details: { sessionId } });
  }

  /** Of the turn to be accepted next. @throws LashError `provider_unconfigured`, `provider_mismatch` - before anything is accepted (PP-26). */
  next(resident: Resident): TurnPlan {
    const { system, tools } = this.#wiring;
    const policy = policyOf(this.#wiring, resident);
    const provider = this.#bind(policy.providerId, "was recorded");
    const known = this.#latest?.config.policy;
    // The wiring is fixed: hashing its tools for every turn would cost as much as hashing what the turn says.
    if (this.#latest && known?.model === policy.model && known.maxTurns === policy.maxTurns && known.providerId === policy.providerId) return this.#latest;
    const specs = [...tools.values()].map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
    this.#latest = planOf({ policy, system, tools: specs }, provider, tools);
    return this.#latest;
  }

  /** Of a turn that was accepted, by this runtime or another one. @throws LashError `provider_unconfigured`, `provider_mismatch`. */
  of({ config, turnId }: TurnRecord): TurnPlan {
    if (this.#latest?.config === config) return this.#latest;
    return planOf(config, this.#bind(config.policy.providerId, `accepted turn ${turnId}`), this.#wiring.tools);
  }

  /** A session never switches providers silently (PP-27). */
  #bind(expected: string, did: string): Provider {
    const provider = this.requireProvider();
    if (provider.id === expected) return provider;
    const { sessionId } = this.#wiring;
    throw sessionError("provider_mismatch", `session ${sessionId} ${did} with provider "${expected}", not "${provider.id}"; open it with that provider`, {
      details: { sessionId, expected, actual: provider.id },
    });
  }
}

function planOf(config: TurnConfig, provider: Provider, registered: ReadonlyMap<string, Tool>): TurnPlan {
  const tools = new Map<string, Tool>();
  for (const { name } of config.tools) {
    const tool = registered.get(name);
    if (tool) tools.set(name, tool);
  }
  return { config, provider, tools, digest: sha256Hex(canonicalJson(config)) };
}
