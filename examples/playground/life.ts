// The agent's lives: each is a frame, and a crash takes the frame out of the page. Nothing in it runs any more then, no
// handler is called, its locks and transactions are the browser's to clean up: the same as a killed tab.

import type { News, Shell } from "./link.ts";

/** Long enough to see that it is gone. */
const DEATH_MS = 1600;

export class Lives {
  readonly #session: Pick<Shell, "sessionId" | "pace">;
  readonly #tell: (news: News) => void;
  #life = 0;
  #frame: HTMLIFrameElement | undefined;

  constructor(session: Pick<Shell, "sessionId" | "pace">, tell: (news: News) => void) {
    this.#session = session;
    this.#tell = tell;
  }

  begin(): void {
    const life = (this.#life += 1);
    window.playgroundShell = {
      ...this.#session,
      // A dead frame's last words, if any still come, are nobody's.
      tell: (news) => {
        if (life === this.#life && this.#frame !== undefined) this.#tell(news);
      },
    };
    this.#frame = document.createElement("iframe");
    this.#frame.hidden = true;
    this.#frame.title = "agent";
    this.#frame.src = "./agent.html";
    document.body.append(this.#frame);
  }

  /** Ends this life at once; the next begins by itself after a moment. */
  crash(onReborn: () => void): void {
    if (!this.#frame) return;
    this.#frame.remove();
    this.#frame = undefined;
    setTimeout(() => {
      onReborn();
      this.begin();
    }, DEATH_MS);
  }
}
