// Media types, and patterns of them.

const MEDIA_TYPE = /^[\w.+-]{1,127}\/[\w.+-]{1,127}(;.{0,200})?$/;

/** Whether a text is a media type, such as `application/pdf`: one, and no pattern such as `image/*`. */
export const isMediaType = (text: unknown): text is string => typeof text === "string" && MEDIA_TYPE.test(text);

/** Whether a value is a list of media types, with or without `*`. */
export const isMediaList = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every((type) => typeof type === "string" && /^[^/]+\/[^/]+$/.test(type));

/** @param patterns - media types; `*` stands for any main or sub type. */
export function takesMedia(patterns: readonly string[], mime: string): boolean {
  const [main = "", sub = ""] = (mime.split(";")[0] ?? "").trim().toLowerCase().split("/");
  return patterns.some((pattern) => {
    const [wantedMain = "", wantedSub = ""] = pattern.toLowerCase().split("/");
    return (wantedMain === "*" || wantedMain === main) && (wantedSub === "*" || wantedSub === sub);
  });
}
