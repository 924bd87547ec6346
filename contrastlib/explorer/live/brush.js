// A picture that the reader paints on, with the history of its changes.

import { kept } from "../drawing.js";

const HISTORY = 40;
const GREY = [128, 128, 128];

export class Painted {
  // pixels: RGBA, size x size
  constructor(pixels, size) {
    Object.assign(this, { original: pixels, pixels: pixels.slice(), size, trait: null, history: [], blurred: null });
  }

  get changed() { return this.pixels.some((value, i) => value !== this.original[i]); }

  // What a tool puts in place of a pixel: (index of the pixel, channel) -> value.
  fill(tool, colour) {
    if (tool === "restore") return (i, channel) => this.original[4 * i + channel];
    if (tool === "blur") {
      this.blurred ??= blurred(this.original, this.size);
      return (i, channel) => this.blurred[4 * i + channel];
    }
    const values = tool === "grey" ? GREY : rgb(colour);
    return (i, channel) => values[channel];
  }

  // To be called before a stroke or another change that is undone as a whole.
  begin() {
    this.history.push({ pixels: this.pixels.slice(), trait: this.trait });
    if (this.history.length > HISTORY) this.history.shift();
  }

  // Paints discs along the way between two points, in pixels of the picture.
  stroke([fromX, fromY], [toX, toY], radius, fill) {
    const steps = Math.max(1, Math.ceil(Math.hypot(toX - fromX, toY - fromY) / Math.max(1, radius / 2)));
    for (let step = 0; step <= steps; step++) {
      this.disc(fromX + ((toX - fromX) * step) / steps, fromY + ((toY - fromY) * step) / steps, radius, fill);
    }
  }

  disc(x, y, radius, fill) {
    const clip = value => Math.min(this.size - 1, Math.max(0, value));
    for (let row = clip(Math.floor(y - radius)); row <= clip(Math.ceil(y + radius)); row++) {
      for (let column = clip(Math.floor(x - radius)); column <= clip(Math.ceil(x + radius)); column++) {
        if (Math.hypot(column + 0.5 - x, row + 0.5 - y) > radius) continue;
        const i = row * this.size + column;
        for (let channel = 0; channel < 3; channel++) this.pixels[4 * i + channel] = fill(i, channel);
      }
    }
  }

  // Replaces the pixels whose sign in a map is not kept.
  keep(map, sign, fill) {
    const pixels = kept(this.pixels, map, sign, fill);
    if (pixels.every((value, i) => value === this.pixels[i])) return;
    this.begin();
    this.pixels = pixels;
  }

  // The pixels with another trait of a part, or without for null.
  repaint(pixels, trait) {
    this.begin();
    Object.assign(this, { pixels, trait });
  }

  undo() { Object.assign(this, this.history.pop()); }

  reset() { Object.assign(this, { pixels: this.original.slice(), trait: null, history: [] }); }
}

const rgb = colour => [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16));

// A Gaussian blur as contrastlib.evaluation.masking.baseline has it: sigma 15 at 224 pixels, mirrored at the border.
export function blurred(pixels, size) {
  const reach = Math.floor((101 * size) / 448), sigma = (15 * size) / 224;
  const kernel = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-(((i - reach) / sigma) ** 2) / 2));
  const total = kernel.reduce((sum, value) => sum + value, 0), weights = kernel.map(value => value / total);
  const places = Int32Array.from({ length: size + 2 * reach }, (_, i) => mirrored(i - reach, size));
  const both = along(along(pixels, size, weights, places, 1, size), size, weights, places, size, 1);
  return Uint8ClampedArray.from(both, (value, i) => (i % 4 === 3 ? 255 : Math.round(value)));
}

const mirrored = (at, size) => (at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at);

// The blur along lines, whose pixels are `step` apart and which are `line` apart.
function along(source, size, weights, places, step, line) {
  const result = new Float64Array(source.length);
  for (let number = 0; number < size; number++) {
    for (let position = 0; position < size; position++) {
      let red = 0, green = 0, blue = 0;
      for (let i = 0; i < weights.length; i++) {
        const at = 4 * (places[position + i] * step + number * line), weight = weights[i];
        red += weight * source[at];
        green += weight * source[at + 1];
        blue += weight * source[at + 2];
      }
      result.set([red, green, blue], 4 * (position * step + number * line));
    }
  }
  return result;
}
