// Which images and files a model takes.

/** @param patterns - media types; `*` stands for any main or sub type. */
export function takesMedia(patterns: readonly string[], mime: string): boolean {
  const [main = "", sub = ""] = (mime.split(";")[0] ?? "").trim().toLowerCase().split("/");
  return patterns.some((pattern) => {
    const [wantedMain = "", wantedSub = ""] = pattern.toLowerCase().split("/");
    return (wantedMain === "*" || wantedMain === main) && (wantedSub === "*" || wantedSub === sub);
  });
}
