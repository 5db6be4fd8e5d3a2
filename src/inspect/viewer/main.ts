// Entry of the viewer page.
import { ViewerApp } from "./app.ts";
import { followChannel, followServer } from "./sources.ts";

const app = new ViewerApp();
const events = { onRecords: app.add.bind(app), onStatus: app.setStatus.bind(app) };
const server = document.querySelector<HTMLMetaElement>('meta[name="lash-events"]')?.content;
if (server !== undefined) followServer(server, events);
else followChannel(events);
