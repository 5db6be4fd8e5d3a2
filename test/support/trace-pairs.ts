// What has to hold of the records of one process, in the order in which its sink got them: everything that ends had begun, ends
// once, and ends before its turn does (TR-3, TR-4).

import type { TraceRecord } from "../../src/trace/index.ts";

export interface Pairs {
  /** Begun and not ended: fine for a process that was killed. */
  readonly open: readonly string[];
  readonly wrong: readonly string[];
}

export function pairsOf(records: readonly TraceRecord[]): Pairs {
  const open = new Set<string>();
  const seen = new Set<string>();
  const wrong: string[] = [];
  const turnOf = ({ context }: TraceRecord): string => `turn ${context.session_id} ${context.turn_id}`;
  const begin = (name: string, record: TraceRecord): void => {
    if (open.has(name)) wrong.push(`${name} begins twice`);
    if (record.type === "llm_call_started" && seen.has(name)) wrong.push(`${name} is used again`);
    if (record.type !== "turn_started" && record.context.turn_id !== undefined && !open.has(turnOf(record))) wrong.push(`${name} begins outside of its turn`);
    open.add(name);
    seen.add(name);
  };
  const end = (name: string): void => {
    if (!open.delete(name)) wrong.push(`${name} ends without having begun`);
  };
  for (const record of records) {
    switch (record.type) {
      case "turn_started":
        begin(turnOf(record), record);
        break;
      case "turn_completed":
        end(turnOf(record));
        for (const name of open) if (name.endsWith(`of ${turnOf(record)}`)) wrong.push(`${name} outlives its turn`);
        break;
      case "llm_call_started":
        begin(`llm ${record.context.llm_call_id} of ${turnOf(record)}`, record);
        break;
      case "llm_call_completed":
      case "llm_call_failed":
        end(`llm ${record.context.llm_call_id} of ${turnOf(record)}`);
        break;
      case "tool_call_started":
        begin(`tool ${record.call_key} of ${turnOf(record)}`, record);
        break;
      case "tool_call_completed":
        end(`tool ${record.call_key} of ${turnOf(record)}`);
        break;
      default:
        if ("record_problem" in record) wrong.push(`${record.type} could not be made`);
    }
  }
  return { open: [...open], wrong };
}

/** Types of records, with what tells those of one type apart. */
export const outlineOf = (records: readonly TraceRecord[]): readonly string[] =>
  records.map((record) => {
    switch (record.type) {
      case "custom":
        return record.name;
      case "tool_call_started":
        return `tool_call_started ${record.call_id}`;
      case "tool_call_completed":
        return `tool_call_completed ${record.call_id} ${record.status}`;
      case "turn_completed":
        return `turn_completed ${record.status} ${record.done_reason}`;
      case "llm_call_failed":
        return `llm_call_failed ${record.error.code}`;
      default:
        return record.type;
    }
  });

export const ofType = <Type extends TraceRecord["type"]>(records: readonly TraceRecord[], type: Type): readonly Extract<TraceRecord, { type: Type }>[] =>
  records.filter((record): record is Extract<TraceRecord, { type: Type }> => record.type === type);
