// The bounds that make every later walk over a program safe (`LL-19`).

/** Expressions plus blocks, as they nest in the source. */
export const MAX_NESTING = 40;

/**
 * Nodes from the root to the deepest leaf. Chains such as `a + b + c` or `a.b.c` do not nest in the source, but they do
 * in the tree; this is how long they may get before a recursive walk could run out of stack.
 */
export const MAX_TREE_HEIGHT = 500;

export const NESTING_MESSAGE = `expression nesting too deep (limit ${MAX_NESTING}); flatten the program`;
