// The Gemini API: generateContent and streamGenerateContent.

import { checkGoogle, type GoogleMemory, type GoogleRules } from "./google-rules.ts";
import { demandUnicode, fieldsOf, listOf, textOf, type Fields } from "./json.ts";
import { piecesOf, sse, type Dialect, type StrictReply } from "./server.ts";

const PATH = /^\/v1beta\/models\/([^:/]+):(generateContent|streamGenerateContent)(\?.*)?$/;

export function googleDialect(rules: GoogleRules = {}): Dialect {
  const memory: GoogleMemory = { answers: [] };
  return {
    name: "google",
    serves: (path) => PATH.test(path),
    modelOf: ({ path }) => PATH.exec(path)?.[1] ?? "",
    isStream: ({ path }) => PATH.exec(path)?.[2] === "streamGenerateContent",
    check(body) {
      demandUnicode(body);
      checkGoogle(body, memory, rules);
    },
    error: (status, message) => ({ error: { code: status, message, status: status === 400 ? "INVALID_ARGUMENT" : "INTERNAL" } }),
    events,
    textIn: ({ candidates }) =>
      listOf(fieldsOf(listOf(candidates)[0]?.["content"])["parts"]).map((part) => (part["thought"] === true ? "" : textOf(part["text"]))).join(""),
    whole: (reply, model) => ({ ...head(model), candidates: [{ index: 0, content: { role: "model", parts: reply.parts }, finishReason: reply.stop ?? "STOP" }] }),
    remember: (reply) => void memory.answers.push(reply.parts),
  };
}

const head = (modelVersion: string): Fields => ({
  modelVersion,
  responseId: "response-1",
  usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 7, totalTokenCount: 17 },
});

function events(reply: StrictReply, model: string): readonly string[] {
  const pieces = reply.parts.flatMap((part) => streamed(part, reply.piece));
  const chunk = (parts: readonly Fields[], last: boolean): string =>
    sse({ ...head(model), candidates: [{ index: 0, content: { role: "model", parts }, ...(last && { finishReason: reply.stop ?? "STOP" }) }] });
  return [...pieces.map((part) => chunk([part], false)), chunk([], true)];
}

/** Text comes in pieces, of which the last one carries the signature; everything else comes whole. */
function streamed(part: Fields, piece: number | undefined): readonly Fields[] {
  const { text, thoughtSignature, ...rest } = part;
  if (typeof text !== "string" || text === "") return [part];
  const pieces = piecesOf(textOf(text), piece);
  return pieces.map((one, index) => ({ ...rest, text: one, ...(index === pieces.length - 1 && thoughtSignature !== undefined && { thoughtSignature }) }));
}
