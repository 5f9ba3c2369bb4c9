/** Row u, column x: C(u)/2 · cos((2x+1)uπ/16), ISO 10918-1 §A.3.3. */
const COSINES = Float64Array.from({ length: 64 }, (_, i) => {
  const [u, x] = [i >> 3, i & 7];
  return (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * u * Math.PI) / 16);
});

const between = new Float64Array(64);

/** Computes the inverse DCT of 8 × 8 coefficients in place. Rows have rising vertical frequency. */
export function inverseDct(block: Float64Array): void {
  transform(block, between);
  transform(between, block);
}

/** Transforms the rows and writes them as columns. */
function transform(from: Float64Array, to: Float64Array): void {
  for (let row = 0; row < 64; row += 8) {
    for (let x = 0; x < 8; x++) {
      let sum = 0;
      for (let u = 0; u < 8; u++) sum += from[row + u]! * COSINES[u * 8 + x]!;
      to[x * 8 + (row >> 3)] = sum;
    }
  }
}
