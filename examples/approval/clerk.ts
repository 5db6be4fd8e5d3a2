// One life of the clerk: node examples/approval/clerk.ts <folder>. It does not know whether it is the first: the turn has an id.

import { createClerk } from "./clerk-agent.ts";

const [home = "."] = process.argv.slice(2);

await using lash = createClerk(home);
const session = await lash.openSession("customer-7");
const { text } = await session.run("Please refund order A-17.", {
  turnId: "refund-A-17",
  onActivity: (activity) => {
    if (activity.type === "tool_call_started") console.log(`  clerk ${process.pid}: calls ${activity.name}`);
    if (activity.type === "tool_call_completed") console.log(`  clerk ${process.pid}: ${activity.name} answered`);
  },
});
console.log(`  clerk ${process.pid}: "${text}"`);
