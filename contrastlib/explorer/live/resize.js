// Resizing with antialiasing, to the integers that Pillow gives: first along rows, then along columns. Pillow 13 takes the
// other order for pictures that are much taller than wide, which changes a pixel by two levels at most.

const BITS = 22; // of the fixed-point coefficients

function cubic(x) {
  const a = -0.5, size = Math.abs(x);
  if (size < 1) return ((a + 2) * size - (a + 3)) * size * size + 1;
  return size < 2 ? (((size - 5) * size + 8) * size - 4) * a : 0;
}

// Interpolation -> its filter, which is 0 from the reach on.
const FILTERS = {
  bicubic: { filter: cubic, reach: 2 },
  bilinear: { filter: x => Math.max(0, 1 - Math.abs(x)), reach: 1 },
};

// For each position of the result, the first position of the source and the coefficients.
function coefficients(from, to, interpolation) {
  const { filter, reach } = FILTERS[interpolation];
  const scale = from / to, stretch = Math.max(1, scale), support = reach * stretch;
  return Array.from({ length: to }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(from, Math.trunc(centre + support + 0.5));
    const values = Array.from({ length: end - first }, (_, x) => filter((x + first - centre + 0.5) / stretch));
    const total = values.reduce((sum, value) => sum + value, 0);
    return { first, values: values.map(value => fixed(value / total)) };
  });
}

const fixed = value => Math.trunc(value * 2 ** BITS + (value < 0 ? -0.5 : 0.5));
const clipped = sum => Math.min(255, Math.max(0, Math.floor((sum + 2 ** (BITS - 1)) / 2 ** BITS)));

// Python's round: halves go to the even number.
const rounded = value => (value % 1 === 0.5 ? 2 * Math.round(value / 2) : Math.round(value));

// The centre square of a picture (RGBA) whose shorter side is first resized. Returns RGBA pixels, size x size.
export function centreCrop(pixels, width, height, { resize, size, interpolation }) {
  const short = Math.min(width, height);
  const toWidth = Math.trunc((resize * width) / short), toHeight = Math.trunc((resize * height) / short);
  const left = rounded((toWidth - size) / 2), top = rounded((toHeight - size) / 2);
  const columns = window(width, toWidth, left, size, interpolation), rows = window(height, toHeight, top, size, interpolation);
  const start = rows[0].first, last = rows.at(-1), end = last.first + last.values.length;
  const narrow = new Uint8ClampedArray((end - start) * size * 4);
  for (let y = start; y < end; y++) {
    columns.forEach(({ first, values }, x) => resampled(pixels, (y * width + first) * 4, 4, values, narrow, ((y - start) * size + x) * 4));
  }
  const result = new Uint8ClampedArray(size * size * 4);
  rows.forEach(({ first, values }, y) => {
    for (let x = 0; x < size; x++) resampled(narrow, ((first - start) * size + x) * 4, size * 4, values, result, (y * size + x) * 4);
  });
  return result;
}

// Part of the coefficients; a side that has the wanted length stays as it is.
function window(from, to, start, size, interpolation) {
  const all = from === to ? Array.from({ length: to }, (_, index) => ({ first: index, values: [2 ** BITS] }))
    : coefficients(from, to, interpolation);
  return all.slice(start, start + size);
}

function resampled(source, start, stride, values, target, at) {
  let red = 0, green = 0, blue = 0;
  for (let i = 0, from = start; i < values.length; i++, from += stride) {
    red += values[i] * source[from];
    green += values[i] * source[from + 1];
    blue += values[i] * source[from + 2];
  }
  target[at] = clipped(red);
  target[at + 1] = clipped(green);
  target[at + 2] = clipped(blue);
  target[at + 3] = 255;
}
