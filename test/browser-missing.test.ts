import { test } from "vitest";

// Runs in place of the browser project where no Chromium can be had, so that its absence shows in every report.
// oxlint-disable-next-line vitest/no-disabled-tests
test.skip("BROWSER SUITE NOT RUN: no Chromium found (set CHROMIUM_PATH)", () => {});
