// Pixels of canvases: a map over its picture, or the picture masked by a map.

// A map over its picture. The colour scale runs from -limit to limit. The more opaque the map, the greyer the picture,
// so that its own colours are not taken for the map's. At opacity 0 the picture has its colours.
export function overlaid(pixels, map, limit, opacity, colours) {
  const result = new Uint8ClampedArray(pixels.length);
  for (let i = 0; i < map.length; i++) {
    const grey = (pixels[4 * i] + pixels[4 * i + 1] + pixels[4 * i + 2]) / 3;
    const colour = colours[colourIndex(map[i], limit, colours.length)];
    for (let channel = 0; channel < 3; channel++) {
      const faded = (1 - opacity) * pixels[4 * i + channel] + opacity * grey;
      result[4 * i + channel] = (1 - opacity) * faded + opacity * colour[channel];
    }
    result[4 * i + 3] = 255;
  }
  return result;
}

// As in matplotlib, the interval is divided into as many equal parts as there are colours.
function colourIndex(value, limit, count) {
  const fraction = limit ? (value / limit + 1) / 2 : 0.5;
  return Math.min(count - 1, Math.max(0, Math.floor(fraction * count)));
}

// The picture where the map has the kept sign, and the fill elsewhere.
export function kept(pixels, map, sign, fill) {
  const result = new Uint8ClampedArray(pixels.length);
  for (let i = 0; i < map.length; i++) {
    const keep = sign === "positive" ? map[i] > 0 : map[i] < 0;
    for (let channel = 0; channel < 3; channel++) {
      result[4 * i + channel] = keep ? pixels[4 * i + channel] : fill(i, channel);
    }
    result[4 * i + 3] = 255;
  }
  return result;
}

export async function pixelsOf(bytes, type, width, height) {
  // without colour conversion, so that the numbers are those that Python encoded
  const bitmap = await createImageBitmap(new Blob([bytes], { type }), { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

export function paint(canvas, pixels, width, height) {
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
}

// A PNG file of canvases side by side, with a title above all and lines of text below each.
export async function composed(title, panes, side = 480, margin = 20) {
  const width = panes.length * (side + margin) + margin;
  const texts = panes.map(pane => pane.lines.flatMap(line => wrapped(line, 58)));
  const lines = Math.max(...texts.map(text => text.length));
  const heading = wrapped(title, Math.floor(width / 11));
  const top = margin + heading.length * 26;
  const canvas = new OffscreenCanvas(width, top + side + lines * 22 + 2 * margin);
  const context = canvas.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#222222";
  context.textBaseline = "top";
  context.font = "bold 18px sans-serif";
  heading.forEach((line, i) => context.fillText(line, margin, margin + i * 26, width - 2 * margin));
  context.font = "15px sans-serif";
  panes.forEach((pane, i) => {
    const left = margin + i * (side + margin);
    context.drawImage(pane.canvas, left, top, side, (side * pane.canvas.height) / pane.canvas.width);
    texts[i].forEach((line, j) => context.fillText(line, left, top + side + margin / 2 + j * 22, side));
  });
  return canvas.convertToBlob({ type: "image/png" });
}

function wrapped(text, columns) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1) && lines.at(-1).length + word.length >= columns) lines.push("");
    lines[lines.length - 1] += (lines.at(-1) && " ") + word;
  }
  return lines;
}
