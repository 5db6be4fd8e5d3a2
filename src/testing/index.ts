/**
 * Test doubles for apps and for this package: models that answer from a script, a clock that stands still, gates.
 * Everything loads in a browser; starting a wire-script server needs Node.
 *
 * @module
 */
export { gate, type Gate } from "./gate.ts";
export { manualClock, type ManualClock } from "./manual-clock.ts";
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
