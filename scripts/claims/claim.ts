// A claim: the title of a test says that something holds, and this change of one place in src takes it away. While the claim is true
// the test turns red with the change.

export interface Claim {
  /** The requirement that the test's title cites. */
  readonly id: string;
  /** Test file, from the root. */
  readonly test: string;
  /** Part of the test's title, as it stands in the file; only tests whose full name holds it are run. */
  readonly title: string;
  /** Where the title is written, if not in the test file: suites for whoever writes an engine are functions of src/testing. */
  readonly titleIn?: string;
  /** Source file, from the root. */
  readonly source: string;
  /** Stands in the source exactly once. */
  readonly find: string;
  /** What stands there instead when the behaviour is gone; it has to run, not just fail to compile. */
  readonly replace: string;
}

/** The claims of one test file, which share it. */
export const claimsOf = (test: string, claims: readonly Omit<Claim, "test">[]): readonly Claim[] => claims.map((claim) => ({ ...claim, test }));
