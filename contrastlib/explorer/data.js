// The data of an explorer, unpacked from its chunks when they are needed first; packing.py defines the formats.

import { pixelsOf } from "./drawing.js";

export class Data {
  constructor(bytes) {
    Object.assign(this, { bytes, cache: new Map() });
  }

  // The unpacked content of a chunk, from the cache if it was unpacked before.
  load(chunk, unpack) {
    if (!this.cache.has(chunk)) this.cache.set(chunk, unpack(this.bytes(chunk)));
    return this.cache.get(chunk);
  }

  pixels(chunk, { type, width, height }) {
    return this.load(chunk, bytes => pixelsOf(bytes, type, width, height));
  }

  labels(chunk) {
    return this.load(chunk, async bytes => new Uint8Array(await inflated(bytes)));
  }

  integers(chunk) {
    return this.load(chunk, async bytes => signed(new Uint8Array(await inflated(bytes))));
  }

  async stack(entry) {
    return { planes: await this.integers(entry.stack),
      coefficients: this.load(entry.coefficients, bytes => new Float32Array(bytes.slice().buffer)) };
  }
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// Signed 16-bit integers from bytes that hold all low bytes first, and then all high bytes.
function signed(bytes) {
  const count = bytes.length / 2;
  return Int16Array.from({ length: count }, (_, i) => bytes[i] | (bytes[count + i] << 8));
}
