// SHA-256 (FIPS 180-4) of a text. Our own because identities are needed wherever a program is linked, a page that only runs
// cells pays for every byte, and linking is synchronous, which the one of the browser is not. Nothing here guards a secret.

const textEncoder = new TextEncoder();

/** Hex, lower case. Lone surrogates count as U+FFFD. */
export function sha256Hex(text: string): string {
  const words = padded(textEncoder.encode(text));
  const state = INITIAL.slice();
  for (let at = 0; at < words.length; at += 16) addBlock(state, words, at);
  return Array.from(state, (word) => word.toString(16).padStart(8, "0")).join("");
}

/** Big-endian words: the bytes, a one bit, zeros, and the number of bits in the last two words. */
function padded(bytes: Uint8Array): Uint32Array {
  const words = new Uint32Array(((bytes.length + 72) >> 6) << 4);
  for (let at = 0; at <= bytes.length; at += 1) {
    words[at >> 2] = ((words[at >> 2] ?? 0) << 8) | (bytes[at] ?? 0x80);
  }
  const unfilled = 3 - (bytes.length & 3);
  words[bytes.length >> 2] = (words[bytes.length >> 2] ?? 0) << (8 * unfilled);
  words[words.length - 2] = bytes.length / 2 ** 29;
  words[words.length - 1] = bytes.length << 3;
  return words;
}

function firstPrimes(count: number): readonly number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes;
}

/** The first 32 bits after the point. None of the roots is so near to a step that an engine's rounding could matter. */
const fraction = (root: number): number => (root % 1) * 2 ** 32;

const INITIAL = Uint32Array.from(firstPrimes(8), (prime) => fraction(Math.sqrt(prime)));
const ROUND = Uint32Array.from(firstPrimes(64), (prime) => fraction(Math.cbrt(prime)));

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

const schedule = new Uint32Array(64);

function addBlock(state: Uint32Array, words: Uint32Array, from: number): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i += 1) {
    if (i < 16) schedule[i] = words[from + i] ?? 0;
    else {
      const [early, late] = [schedule[i - 15] ?? 0, schedule[i - 2] ?? 0];
      const s0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
      const s1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
      schedule[i] = (schedule[i - 16] ?? 0) + s0 + (schedule[i - 7] ?? 0) + s1;
    }
    const one = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + (ROUND[i] ?? 0) + (schedule[i] ?? 0);
    const two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] = (state[i] ?? 0) + word;
  });
}
