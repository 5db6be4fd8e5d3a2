#!/usr/bin/env node
// The `lashlang` command: gives run-cli.ts the files and streams of this process.
import { readFile, writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { runCli } from "./run-cli.ts";

process.exitCode = await runCli(process.argv.slice(2), {
  read: (file) => (file === "-" ? text(process.stdin) : readFile(file, "utf8")),
  write: (file, content) => writeFile(file, content),
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
});
