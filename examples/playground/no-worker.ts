// In place of the package that elkjs would run on Node.
export const worker = undefined;
