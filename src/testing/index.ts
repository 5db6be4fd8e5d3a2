/**
 * For tests of apps and of this package: a sweep that kills a scenario at every write and effect, models that answer from a script or
 * a recording, clocks that stand still or move by themselves, gates; and the conformance suites for storage engines.
 * Everything loads in a browser; starting a wire-script server needs Node.
 *
 * @module
 */
export { autoClock, type AutoClock } from "./auto-clock.ts";
export { countingEngine, type CountingEngine, type EngineCounts } from "./counting-engine.ts";
export { type CuttableEngine, engineSuite, type EngineCase, type OpenEngine } from "./engine-suite.ts";
export { crashPoints, faultyEngine, type CrashPoint, type EngineCall, type FaultyEngine } from "./faulty-engine.ts";
export { gate, type Gate } from "./gate.ts";
export { manualClock, type ManualClock } from "./manual-clock.ts";
export { persistenceSuite, type PersistenceSuiteCase } from "./persistence-suite.ts";
export type { Cassette, CassetteCall } from "./replay/cassette.ts";
export type { RequestDifference } from "./replay/difference.ts";
export { recordProvider, type RecordingProvider, type RecordOptions } from "./replay/record-provider.ts";
export { ReplayMismatch, replayProvider, type ReplayOptions, type ReplayProvider } from "./replay/replay-provider.ts";
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
export { crashSweep, type CrashSweep, type SweepFacts, type SweepFaults, type SweepRun } from "./sweep/crash-sweep.ts";
export type { Kill, KillKind } from "./sweep/kill.ts";
export type { SweepProcess, ToolRun } from "./sweep/process.ts";
export type { SweepReport, Violation } from "./sweep/report.ts";
export type { SweepRule } from "./sweep/rules.ts";
export type { SweepScenario } from "./sweep/run-once.ts";
export type { WireDialect, WireReply, WireRequest, WireScript, WireToolCall, WireUsage } from "./wire-script.ts";
export { startWireScriptServer, type WireScriptServer } from "./wire-script-server.ts";
