// Numbers as text (`LL-25`): shortest digits that read back the same, never an exponent.

export function numberText(value: number): string {
  if (Number.isInteger(value)) {
    if (value > -1e21 && value < 1e21) return String(value === 0 ? 0 : value);
  } else if (Number.isNaN(value)) return "NaN";
  else if (value === Infinity) return "inf";
  else if (value === -Infinity) return "-inf";
  const text = String(value);
  const at = text.indexOf("e");
  return at < 0 ? text : spellOut(text.slice(0, at), Number(text.slice(at + 1)));
}

/** `-1.25`, `-7` gives `-0.000000125`. */
function spellOut(mantissa: string, exponent: number): string {
  const sign = mantissa.startsWith("-") ? "-" : "";
  const [whole = "", fraction = ""] = mantissa.slice(sign.length).split(".");
  const digits = whole + fraction;
  const point = whole.length + exponent;
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + "0".repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
