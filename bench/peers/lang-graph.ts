// LangGraph.js: a graph of model and tool node with its in-memory checkpointer, as its tutorials build it.

import { AIMessage, HumanMessage, isToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { END, MemorySaver, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import * as z from "zod";
import type { Peer } from "../peers.ts";
import { CITY, replyText, toolAnswer, userText } from "../workload.ts";

const weather = tool(async () => toolAnswer(), {
  name: "weather",
  description: "Current weather of a city",
  schema: z.object({ city: z.string() }),
});

let calls = 0;

function callModel({ messages }: typeof MessagesAnnotation.State): { messages: AIMessage[] } {
  const last = messages.at(-1);
  const reply =
    last !== undefined && isToolMessage(last)
      ? new AIMessage(replyText())
      : new AIMessage({ content: "", tool_calls: [{ id: `call-${++calls}`, name: "weather", args: { city: CITY } }] });
  return { messages: [reply] };
}

function next({ messages }: typeof MessagesAnnotation.State): "tools" | typeof END {
  const last = messages.at(-1);
  return last instanceof AIMessage && (last.tool_calls?.length ?? 0) > 0 ? "tools" : END;
}

export const langGraph: Peer = {
  name: "LangGraph.js StateGraph + MemorySaver",
  async start() {
    // A saver of its own: checkpoints of earlier conversations would only fill the heap.
    const graph = new StateGraph(MessagesAnnotation)
      .addNode("model", callModel)
      .addNode("tools", new ToolNode([weather]))
      .addEdge(START, "model")
      .addConditionalEdges("model", next, ["tools", END])
      .addEdge("tools", "model")
      .compile({ checkpointer: new MemorySaver() });
    const config = { configurable: { thread_id: "conversation" } };
    return async () => {
      const { messages } = await graph.invoke({ messages: [new HumanMessage(userText())] }, config);
      if (messages.at(-1)?.content.length !== 400) throw new Error("LangGraph failed");
    };
  },
};
