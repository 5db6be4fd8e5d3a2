/**
 * Test doubles for apps and for this package: models that answer from a script, a clock that stands still, gates; and the
 * conformance suites for storage engines.
 * Everything loads in a browser; starting a wire-script server needs Node.
 *
 * @module
 */
export { countingEngine, type CountingEngine, type EngineCounts } from "./counting-engine.ts";
export { type CuttableEngine, engineSuite, type EngineCase, type OpenEngine } from "./engine-suite.ts";
export { crashPoints, faultyEngine, type CrashPoint, type EngineCall, type FaultyEngine } from "./faulty-engine.ts";
export { gate, type Gate } from "./gate.ts";
export { manualClock, type ManualClock } from "./manual-clock.ts";
export { persistenceSuite, type PersistenceSuiteCase } from "./persistence-suite.ts";
export {
  byAssistantMessages,
  byToolResults,
  scriptedProvider,
  type ProviderScript,
  type ScriptedAnswer,
  type ScriptedProvider,
  type ScriptedProviderOptions,
  type ScriptedReply,
  type ScriptedToolCall,
} from "./scripted-provider.ts";
export type { WireDialect, WireReply, WireRequest, WireScript, WireToolCall, WireUsage } from "./wire-script.ts";
export { startWireScriptServer, type WireScriptServer } from "./wire-script-server.ts";
