#!/usr/bin/env node
// The `lash` command: one subcommand per file. Node only.

import { systemClock } from "../domain/clock.ts";
import { backupStore, backupUsage } from "./backup.ts";
import { type CliIo, inspectStore, inspectStoreUsage } from "./inspect-store.ts";

const COMMANDS: Readonly<Record<string, (args: readonly string[], io: CliIo) => Promise<number>>> = { backup: backupStore, "inspect-store": inspectStore };
const USAGE = `usage: ${backupUsage}\n       ${inspectStoreUsage}\n`;

const io: CliIo = {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  now: () => systemClock.now(),
};

const [name = "", ...args] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (command === undefined) {
  const isHelp = name === "--help" || name === "help";
  (isHelp ? io.out : io.error)(USAGE);
  process.exitCode = isHelp ? 0 : 2;
} else {
  process.exitCode = await command(args, io);
}
