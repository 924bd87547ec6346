// The gradient of the probability of a class as a framework computes it, in numbers of 32 or 16 bits.
// Softmax and its backward pass are computed in 32 bits, and what is kept between them has the chosen precision.

const single = new Float32Array(1), bits = new Uint32Array(single.buffer);

// The nearest number that 16 bits can hold (IEEE 754 binary16, ties to even).
export function toHalf(value) {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || value === 0) return value;
  if (size >= 65520) return value > 0 ? Infinity : -Infinity;
  single[0] = size;
  const exponent = Math.max(-14, (bits[0] >>> 23) - 127), step = 2 ** (exponent - 10);
  const scaled = size / step, low = Math.floor(scaled), part = scaled - low;
  const up = part > 0.5 || (part === 0.5 && low % 2);
  return Math.sign(value) * (low + (up ? 1 : 0)) * step;
}

const ROUNDING = { float32: Math.fround, float16: toHalf };

// The gradient of the summed probability P of the targets, with autograd's formula (e - P) p, where e is 1 at the targets.
export function gradientOfProbability(logits, targets, precision) {
  const round = ROUNDING[precision], kept = Float32Array.from(logits, round);
  const highest = kept.reduce((most, value) => Math.max(most, value), -Infinity);
  const powers = kept.map(logit => Math.exp(Math.fround(logit - highest)));
  const total = powers.reduce((sum, power) => Math.fround(sum + power), 0);
  const p = powers.map(power => round(Math.fround(power / total)));
  const sum = targets.reduce((found, s) => Math.fround(found + p[s]), 0);
  return p.map((share, s) => round(Math.fround(Math.fround((targets.includes(s) ? 1 : 0) - sum) * share)));
}
