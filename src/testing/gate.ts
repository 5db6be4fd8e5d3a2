/** A door that a test opens: what waits at it goes on only then. */
export interface Gate {
  /** Resolves once the gate is open. */
  readonly opened: Promise<void>;
  /** Resolves once someone has come to wait; that is where the test may look around. */
  readonly reached: Promise<void>;
  open(): void;
  /** Waits at the gate. */
  pass(): Promise<void>;
}

export function gate(): Gate {
  let open = (): void => {};
  let reach = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const reached = new Promise<void>((resolve) => (reach = resolve));
  return {
    opened,
    reached,
    open: () => open(),
    pass: () => {
      reach();
      return opened;
    },
  };
}
