/** The Chromium to drive and the environment it needs, or undefined where none can be had. */
export function findChromium(): Promise<{ executablePath: string; env: Record<string, string> } | undefined>;
