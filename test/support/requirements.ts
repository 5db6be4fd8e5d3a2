// Ids of the requirements that are marked as core, by the part they belong to. What they say is in the titles of the tests that
// prove them; docs/coverage.md says of the others why nothing does.

export const REQUIREMENTS: Readonly<Record<string, string>> = {
  T: "1-16 18-24 26-33 35-44 46-49 51-57 57a 57b 58-70 72-82",
  E: "1-14 16-24 27-32 32a 33-41 43-47",
  S: "1-10 14-20 23-34 36-39 42-46 48-54 56-60 63 65-70 72-83 85-86 88-89",
  P: "1-22 24 26-33 35-40 42-46 51-52 54-58 60",
  ER: "1-24",
  PP: "1-12 14-23 26-49 52-57",
  /** Of traces; the remote protocol, the testing kit and the performance harness (25 and up) are not counted yet. */
  TR: "1-6 8 10-12",
  ME: "1-28",
  FA: "1-7 9-13 15-16 20-29 35-41 45-47 49-54 60-64 66 68-72 75-78 80-82",
};

/** All of them in full, `T-1`, `T-2`, ... */
export const requirementIds = (): readonly string[] =>
  Object.entries(REQUIREMENTS).flatMap(([prefix, runs]) =>
    runs.split(" ").flatMap((run) => {
      const [first = "", last = first] = run.split("-");
      if (first === last) return [`${prefix}-${first}`];
      return Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => `${prefix}-${Number(first) + index}`);
    }),
  );
