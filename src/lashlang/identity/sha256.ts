// SHA-256 (FIPS 180-4) of a text. Our own because identities are needed wherever a program is linked, a page that only runs
// cells pays for every byte, and linking is synchronous, which the one of the browser is not. Nothing here guards a secret.

const textEncoder = new TextEncoder();

/** Hex, lower case. Lone surrogates count as U+FFFD. */
export function sha256Hex(text: string): string {
  const bytes = textEncoder.encode(text);
  // The bytes, a one bit, zeros, and the number of bits in the last eight bytes.
  const padded = new Uint8Array(((bytes.length + 72) >> 6) << 6);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const words = new DataView(padded.buffer);
  words.setBigUint64(padded.length - 8, BigInt(8 * bytes.length));
  const state = INITIAL.slice();
  for (let at = 0; at < padded.length; at += 64) addBlock(state, words, at);
  return Array.from(state, (word) => word.toString(16).padStart(8, "0")).join("");
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
const scheduled = (at: number): number => schedule[at] as number;

function addBlock(state: Uint32Array, words: DataView, from: number): void {
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i += 1) {
    if (i < 16) schedule[i] = words.getUint32(from + 4 * i);
    else {
      const early = scheduled(i - 15);
      const late = scheduled(i - 2);
      const s0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
      const s1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
      schedule[i] = scheduled(i - 16) + s0 + scheduled(i - 7) + s1;
    }
    const one = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + (ROUND[i] as number) + scheduled(i);
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
  state.set([a, b, c, d, e, f, g, h].map((word, i) => word + (state[i] as number)));
}
