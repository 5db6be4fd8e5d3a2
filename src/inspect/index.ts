// Looking at running state charts: observers for `createLash({ inspect })`, recordings, and the chart as text.
export type { CondenseLimits, Redact } from "./condense.ts";
export { fanOut } from "./fan-out.ts";
export { machinePage, stateDiagram, type MachineLike } from "./mermaid.ts";
export { recorder, type Recorder, type RecorderOptions } from "./recorder.ts";
export {
  parseRecords,
  type ActorRecord,
  type EventRecord,
  type InspectedEvent,
  type InspectedSnapshot,
  type InspectJson,
  type InspectRecord,
  type MachineRecord,
  type ParsedRecords,
  type RunRecord,
  type SkippedRecord,
  type SnapshotRecord,
  type Step,
} from "./records.ts";
export type { InspectObserver, TapOptions } from "./tap.ts";
export { viewerChannel, type ViewerChannel, type ViewerChannelOptions } from "./viewer-channel.ts";
