// Runtime ports: what all sessions of one lash share (S-86), made from its options.

import { ChangeHub } from "./actors/change-hub.ts";
import { LeaseWatch } from "./actors/durable/lease-watch.ts";
import { MemoryJournals } from "./actors/durable/memory-journal.ts";
import type { RuntimePorts } from "./actors/ports.ts";
import { Publishers } from "./actors/publisher.ts";
import type { Tracer } from "./actors/trace-port.ts";
import { WaitDesk } from "./actors/wait-desk.ts";
import type { ChildHost } from "./children/contract.ts";
import { systemClock } from "./domain/clock.ts";
import { runtimeError } from "./domain/errors.ts";
import { resolveLimits } from "./domain/limits.ts";
import { consoleLogger, type Logger, safeLogger } from "./domain/logger.ts";
import type { Redactor } from "./domain/redactor.ts";
import { durableAttachmentsRequired } from "./domain/wiring-errors.ts";
import { leaseTimingsOf, type LashOptions } from "./lash-options.ts";
import { waitOf } from "./wait-options.ts";
import { inMemoryLiveReplay } from "./live-replay.ts";
import { readViewOf } from "./observe/read-view.ts";
import { standardProtocol } from "./protocols/standard.ts";
import { resolveAttachments } from "./providers/attachments.ts";
import type { LlmRequest } from "./providers/contract.ts";
import { failureOf, ProviderError, withoutSecrets } from "./providers/failure.ts";
import type { jsonSchemaProblem } from "./providers/json-schema.ts";
import type { ProviderLadders } from "./providers/provider-ladders.ts";
import { randomId, randomSecret } from "./random-id.ts";
import { wholeEngine } from "./stores/define-engine.ts";
import { memory } from "./stores/memory/store.ts";
import { createPersistence } from "./stores/persistence/index.ts";

export interface LashPorts extends RuntimePorts {
  readonly trace?: Tracer;
  /** Names this runtime: among the owners of leases, and in what it shows of its sessions. */
  readonly scopeId: string;
}

/** What the lash itself does for its sessions; nothing of it is asked for while the ports are made. */
export interface PortsHost {
  readonly redactor: Redactor;
  readonly ladders: ProviderLadders;
  /** A turn that was suspended is to go on by then. */
  readonly wakeAt: (sessionId: string, turnId: string, dueAtMs: number) => void;
  /** Something may wait in the queue of a session. */
  readonly poke: (sessionId: string) => void;
  readonly children: Omit<ChildHost, "ports" | "store">;
}

/** Most pages never need it. What has been loaded stays. */
function jsonCheck(): Pick<RuntimePorts, "checkJson" | "loadJsonCheck"> {
  let check: typeof jsonSchemaProblem | undefined;
  const load = async () => {
    try {
      return (check ??= (await import("./providers/json-schema.ts")).jsonSchemaProblem);
    } catch (error) {
      throw runtimeError("llm_provider", "the part of lash-runtime that checks `output` by its JSON Schema could not be loaded; try again when it can", { cause: error });
    }
  };
  return { loadJsonCheck: load, checkJson: async (schema, value) => (await load())(schema, value) };
}

/** @throws LashError as `createLash`, where parts do not fit together. */
export function makePorts(options: LashOptions, { redactor, ladders, wakeAt, poke, children }: PortsHost): LashPorts {
  const clock = options.clock ?? systemClock;
  const { engine: given, liveness, peers, attachments } = options.store ?? memory();
  const engine = wholeEngine(given);
  const newId = options.newId ?? randomId;
  const scopeId = newId();
  const log = safeLogger(options.logger ?? consoleLogger);
  const logger: Logger = (record) => log({ ...record, message: redactor.text(record.message) });
  const trace = options.trace?.sink.openTrace({ ...options.trace, clock, newId, logger, ...(redactor.hasRules && { redactor }) });
  const protocol = options.protocol ?? standardProtocol;
  const store = createPersistence(engine, { clock, attachments, protocol: protocol.id });
  const persistence = trace?.watchStore(store) ?? store;
  const isDurable = (options.effects ?? (engine.durable ? "journaled" : "inline")) === "journaled";
  if (isDurable && attachments?.durable === false) throw durableAttachmentsRequired();
  const changes = new ChangeHub(clock, peers, engine.topics);
  const waits = new WaitDesk(
    persistence.waits,
    changes,
    clock,
    () => options.waitSecret ?? randomSecret(),
    ({ scope }, dueAtMs) => wakeAt(scope.session_id, scope.turn_id, dueAtMs),
  );
  const loadImages = (request: LlmRequest): Promise<LlmRequest> => resolveAttachments(request, async (id) => (await persistence.attachments.get(id)).bytes);
  const ports: LashPorts = {
    scopeId,
    waits,
    changes,
    publishers: new Publishers({ replay: options.liveReplay ?? inMemoryLiveReplay({ clock, newId: () => scopeId }), logger, viewOf: readViewOf, scopeId }),
    loadImages,
    direct: async () => (await import("./providers/direct-port.ts")).directPort(clock, loadImages),
    persistence,
    journals: isDurable ? undefined : new MemoryJournals(),
    clock,
    protocol,
    liveness,
    peers,
    leaseTimings: leaseTimingsOf(options.lease),
    leaseWatch: new LeaseWatch(clock),
    waitMs: waitOf(options) ?? Number.POSITIVE_INFINITY,
    maxRecoveries: options.maxRecoveries ?? 5,
    residency: options.residency ?? "keep_all",
    limits: resolveLimits(options.limits),
    logger,
    redactor,
    newId,
    ...(options.drain === "auto" && { poke }),
    retrying: (provider) => ladders.of(provider),
    failureOf: (error) => {
      const { attempts, partial } = ProviderError.is(error) ? error : { attempts: [], partial: [] };
      return { failure: withoutSecrets(failureOf(error), redactor), attempts, ...(partial.length > 0 && { partial }) };
    },
    children: options.children?.connect({
      ...children,
      ports: () => ports,
      store: { engine, now: () => clock.now(), boundSessionId: undefined, protocol: protocol.id, place: attachments },
    }),
    ...jsonCheck(),
    ...(options.toJsonSchema && { toJsonSchema: options.toJsonSchema }),
    ...(options.inspect && { inspect: options.inspect }),
    ...(trace && { trace }),
  };
  return ports;
}
