import { opaqueLiveness, type Store } from "../store.ts";
import { memoryEngine } from "./index.ts";

/** Keeps everything in this process and loses it with it. Sessions, queues and observation work; nothing is recovered. */
export const memory = (): Store => ({ engine: memoryEngine(), liveness: opaqueLiveness });
