// The chat as it is seen: prose as it streams, a line per tool call, notes. Knows activities and messages, runs nothing.

// An app writes `from "lash-runtime"`.
import type { LashError, Message, TurnActivity, TurnResult } from "../../src/index.ts";
import { bold, cyan, dim, green, red, shortArgs, yellow } from "./paint.ts";

/** Messages of the past that are shown on start. */
const REMEMBERED = 6;

export class ChatScreen {
  readonly prompt = `${bold("you")} ${dim("›")} `;
  readonly #out: (text: string) => void;
  /** Whether the cursor stands behind streamed prose. */
  #isInProse = false;
  #prose = "";

  constructor(out: (text: string) => void = (text) => void process.stdout.write(text)) {
    this.#out = out;
  }

  welcome({ model, home, pid }: { readonly model: string; readonly home: string; readonly pid: number }): void {
    this.#line(`${bold("Travel agent")} ${dim(`· ${model} · kept in ${home} · pid ${pid}, kill -9 it whenever you like`)}`);
    this.help();
  }

  help(): void {
    this.#line(dim('Try "will it rain in Bergen?" or "book me a room in Oslo". Ctrl-C cancels, twice leaves; /quit leaves.\n'));
  }

  history(messages: readonly Message[]): void {
    const spoken = messages.filter((message) => spokenText(message) !== "");
    if (spoken.length > REMEMBERED) this.#line(dim(`… earlier: ${spoken.length - REMEMBERED}`));
    for (const message of spoken.slice(-REMEMBERED)) {
      this.#line(dim(`${message.role === "User" ? "you" : "agent"} › ${spokenText(message)}`));
    }
    if (spoken.length > 0) this.#line("");
  }

  recovering(): void {
    this.#line(yellow("The last process died in the middle of a turn. Going on with it:"));
    this.begin();
  }

  /** Says what the recovered turn had been asked, which is known once it is committed. */
  recovered(messages: readonly Message[]): void {
    const question = messages.findLast((message) => message.role === "User" && spokenText(message) !== "");
    if (question) this.#line(dim(`  that was the answer to: ${spokenText(question)}\n`));
  }

  begin(): void {
    this.#prose = "";
  }

  show(activity: TurnActivity): void {
    switch (activity.type) {
      case "assistant_prose_delta":
        if (!this.#isInProse) this.#out(`${cyan("agent")} ${dim("›")} `);
        this.#isInProse = true;
        this.#prose += activity.text;
        this.#out(activity.text);
        return;
      case "tool_call_started":
        return this.#line(`  ${dim("…")} ${activity.name}(${shortArgs(activity.args)})`);
      case "tool_call_completed":
        return this.#line(`  ${toolMark(activity.output.outcome.status)} ${activity.name} ${dim(`${(activity.durationMs / 1000).toFixed(1)} s`)}`);
      case "model_attempt_reset":
        this.#prose = "";
        return this.note("the model stumbled and starts again");
      case "retry_status":
        return this.note(`${activity.reason}; trying again in ${activity.waitSeconds} s`);
      case "error":
        return this.#line(red(`  ${activity.message}`));
      default:
        return;
    }
  }

  ended({ text, outcome, errors, usage }: TurnResult): void {
    // A turn whose answer was on the disk already streams nothing.
    if (outcome.kind !== "stopped" && text !== "" && !this.#prose.includes(text)) this.#line(`${cyan("agent")} ${dim("›")} ${text}`);
    if (outcome.kind === "stopped") this.#line(yellow(`  stopped: ${outcome.stop.replaceAll("_", " ")}`));
    for (const { message } of errors) this.#line(red(`  ${message}`));
    this.#line(dim(`  ${usage.inputTokens} + ${usage.outputTokens} tokens\n`));
  }

  failed(error: LashError): void {
    this.#line(red(`  ${error.message} (${error.code})`));
  }

  note(text: string): void {
    this.#line(dim(`  ${text}`));
  }

  #line(text: string): void {
    this.#out(`${this.#isInProse ? "\n" : ""}${text}\n`);
    this.#isInProse = false;
  }
}

function toolMark(status: "success" | "failure" | "cancelled"): string {
  if (status === "success") return green("✓");
  return status === "failure" ? red("✗") : yellow("–");
}

const spokenText = ({ parts }: Message): string =>
  parts.filter(({ kind }) => kind === "Text" || kind === "Prose").map(({ content }) => content).join("\n").trim();
