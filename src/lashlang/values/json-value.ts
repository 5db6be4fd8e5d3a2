/** Data as JSON has it. Objects are plain; a key `__proto__` is an own property like any other. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
