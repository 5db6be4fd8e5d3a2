// The page around the agent: chat, story and chart. It holds nothing that the conversation needs.

import { ChartPanel } from "./chart-panel.ts";
import { byId } from "../../src/inspect/viewer/dom.ts";
import { Lives } from "./life.ts";
import type { Agent, News } from "./link.ts";
import { readEndpoint, writeEndpoint } from "./settings.ts";
import { Story } from "./story.ts";
import { StoryView } from "./story-view.ts";
import { Talk } from "./talk.ts";
import { TalkView } from "./talk-view.ts";
import { durationsAt } from "./tools.ts";

const freshId = (): string => `chat-${crypto.randomUUID().slice(0, 8)}`;
if (location.hash.length < 2) history.replaceState(null, "", `#${freshId()}`);
const sessionId = decodeURIComponent(location.hash.slice(1));

const pace = Math.min(20, Math.max(0.2, Number(new URLSearchParams(location.search).get("pace") ?? 1) || 1));

const input = byId("input", HTMLTextAreaElement);
const messages = byId("messages", HTMLElement);
const talk = new Talk();
const story = new Story(durationsAt(pace));
const storyView = new StoryView(byId("story", HTMLElement));
const chart = new ChartPanel(byId("chart", HTMLElement), byId("state", HTMLElement));
const talkView = new TalkView(messages, {
  onSuggest: (text) => void ask(text),
  onRewrite: (before, text) => void rewrite(before, text),
});

type Role = "starting" | "idle" | "drives" | "watches" | "dead";
let role: Role = "starting";
let agent: Agent | undefined;
let isFirstLife = true;
const ROLES: Readonly<Record<Role, string>> = {
  starting: "starting", idle: "ready", drives: "this tab runs the turn", watches: "another tab runs the turn, this one watches", dead: "crashed",
};

const lives = new Lives({ sessionId, pace }, (news) => {
  hear(news);
  paint();
});

function hear(news: News): void {
  switch (news.type) {
    case "ready":
      agent = news.agent;
      role = "idle";
      talk.view(news.view);
      if (news.inFlight) talk.found(news.inFlight);
      else if (!isFirstLife) talk.isBusy = false;
      isFirstLife = false;
      return;
    case "view":
      return talk.view(news.view);
    case "in_flight":
      if (!news.here) return talk.named(news.inFlight);
      talk.found(news.inFlight);
      return story.found(news.inFlight);
    case "tool_entered":
      return story.entered(news.callId, news.again);
    case "records":
      return chart.add(news.run, news.records);
    case "failed":
      return notify(news.message);
    case "sighting": {
      const { sighting } = news;
      if (sighting.type === "turn_started") role = sighting.here ? "drives" : "watches";
      if (sighting.type === "turn_ended") {
        role = "idle";
        notify("");
      }
      talk.sighting(sighting);
      return story.sighting(sighting);
    }
  }
}

async function ask(text: string): Promise<void> {
  if (!agent || text.trim() === "") return;
  if (talk.isBusy) return notify(role === "watches" ? "The other tab is at work. Your text stays here until it is done." : "A turn is under way. Your text stays here until it is done.");
  notify("");
  input.value = "";
  const turnId = `t-${crypto.randomUUID().slice(0, 8)}`;
  talk.ask(turnId, text);
  paint();
  const sent = await agent.send(text, turnId);
  if (sent.kind === "busy") {
    talk.takeBack();
    input.value = text;
    notify("Another tab was faster: the session is busy. Nothing is lost, your text is back in the box.");
  } else if (sent.kind === "failed") {
    talk.isBusy = false;
    notify(sent.message);
  }
  paint();
}

async function rewrite(before: string | null, text: string): Promise<void> {
  const back = await agent?.branch(before);
  if (back?.kind === "done") return ask(text);
  if (back) notify(back.kind === "busy" ? "Another tab is at work in this conversation." : back.message);
  paint();
}

function crash(): void {
  if (role === "dead") return;
  agent = undefined;
  role = "dead";
  talk.crash();
  story.crash();
  chart.die();
  lives.crash(() => {
    role = "starting";
    paint();
  });
  paint();
}

function notify(text: string): void {
  const notice = byId("notice", HTMLElement);
  notice.textContent = text;
  notice.hidden = text === "";
}

function paint(): void {
  talkView.show(talk.sayings, talk.isBusy);
  storyView.show(story);
  const shown = byId("role", HTMLElement);
  shown.textContent = ROLES[role];
  shown.className = `role ${role}`;
  const drives = role === "drives" && talk.isBusy;
  byId("cancel", HTMLButtonElement).hidden = !drives;
  byId("send", HTMLButtonElement).hidden = drives;
  const isInTool = drives && story.rows.some(({ state, expectedMs }) => (state === "running" || state === "again") && expectedMs !== undefined);
  const button = byId("crash", HTMLButtonElement);
  button.classList.toggle("now", isInTool);
  button.disabled = role === "dead" || role === "starting";
}

function cancel(): void {
  agent?.cancel();
}

byId("composer", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void ask(input.value);
});
input.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  void ask(input.value);
});
messages.addEventListener("repaint", paint);
const openFresh = (): void => {
  location.hash = freshId();
  location.reload();
};
const openSecond = (): void => void window.open(location.href, "_blank");
byId("crash", HTMLButtonElement).addEventListener("click", crash);
byId("cancel", HTMLButtonElement).addEventListener("click", cancel);
byId("second", HTMLButtonElement).addEventListener("click", openSecond);
byId("fresh", HTMLButtonElement).addEventListener("click", openFresh);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented) cancel();
  if (!event.altKey || event.ctrlKey || event.metaKey) return;
  const action = { KeyK: crash, KeyT: openSecond, KeyN: openFresh }[event.code];
  if (!action) return;
  event.preventDefault();
  action();
});

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-panel]")) {
  button.addEventListener("click", () => {
    document.body.dataset["show"] = button.dataset["panel"] ?? "chat";
    for (const other of document.querySelectorAll("[data-panel]")) other.setAttribute("aria-pressed", String(other === button));
  });
}

const themes = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const theme = localStorage.getItem("lash-playground-theme");
if (theme) root.dataset["theme"] = theme;
byId("theme", HTMLButtonElement).addEventListener("click", () => {
  const isDark = (root.dataset["theme"] ?? (themes.matches ? "dark" : "light")) === "dark";
  root.dataset["theme"] = isDark ? "light" : "dark";
  localStorage.setItem("lash-playground-theme", root.dataset["theme"]);
});

const dialog = byId("dialog", HTMLDialogElement);
byId("settings", HTMLButtonElement).addEventListener("click", () => {
  const endpoint = readEndpoint();
  byId("endpoint", HTMLInputElement).value = endpoint?.baseUrl ?? "";
  byId("model", HTMLInputElement).value = endpoint?.model ?? "";
  byId("key", HTMLInputElement).value = endpoint?.key ?? "";
  dialog.returnValue = "";
  dialog.showModal();
});
dialog.addEventListener("close", () => {
  if (dialog.returnValue === "") return;
  const [baseUrl, model, key] = [byId("endpoint", HTMLInputElement).value.trim(), byId("model", HTMLInputElement).value.trim(), byId("key", HTMLInputElement).value];
  const isEndpoint = dialog.returnValue === "endpoint" && baseUrl !== "" && model !== "";
  writeEndpoint(isEndpoint ? { baseUrl, model, key } : undefined);
  // A conversation stays with the provider that it began with.
  openFresh();
});

paint();
lives.begin();
input.focus();
