/** A number as the language can read it back: digits and one dot, no exponent. Takes values >= 0. */
export function numberLiteral(value: number): string {
  if (value === Infinity) return `1${"0".repeat(309)}`; // the shortest literal that overflows to it
  const text = String(value);
  const [mantissa = "", exponentText] = text.split("e");
  if (exponentText === undefined) return text;
  const exponent = Number(exponentText);
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = whole + fraction;
  const point = whole.length + exponent;
  if (point <= 0) return `0.${"0".repeat(-point)}${digits}`;
  return point >= digits.length ? digits.padEnd(point, "0") : `${digits.slice(0, point)}.${digits.slice(point)}`;
}
