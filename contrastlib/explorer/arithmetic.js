// What the explorer computes: weights over classes, maps from weights, maps at the size of the picture.
// Its twin in Python is arithmetic.py; the format of the packed maps is described in packing.py.

export const CONTRASTS = ["original", "mean", "maximum", "weighted", "among", "own"];
export const TABULATED = CONTRASTS.slice(0, 4); // what a map that is no weighted sum over classes is stored for

export const sum = values => values.reduce((total, value) => total + value, 0);

export function softmax(logits) {
  const highest = Math.max(...logits);
  const powers = logits.map(logit => Math.exp(logit - highest));
  const total = sum(powers);
  return powers.map(power => power / total);
}

// Logits of the listed classes and, last, of all others in one.
export const logitsOf = view => [...view.classes.map(each => each.logit), view.rest ? view.rest.logit : -Infinity];

// The share of each listed class, and last of all others, in what the target is set against.
export function shares(view, pane, count) {
  const logits = logitsOf(view);
  const others = logits.map((_, rank) => rank !== pane.rank);
  const only = chosen => softmax(logits.map((logit, rank) => (chosen(rank) ? logit : -Infinity)));
  switch (pane.contrast) {
    case "original": return logits.map(() => 0);
    case "mean": return logits.map((_, rank) =>
      (rank === logits.length - 1 ? view.rest?.count ?? 0 : Number(others[rank])) / (count - 1));
    case "maximum": {
      const listed = logits.slice(0, -1).map((logit, rank) => (others[rank] ? logit : -Infinity));
      const rival = listed.indexOf(Math.max(...listed));
      return logits.map((_, rank) => Number(rank === rival));
    }
    case "weighted": return only(rank => others[rank]);
    case "among": return pane.foils.length ? only(rank => pane.foils.includes(rank)) : logits.map(() => 0);
    case "own": return pane.weights;
  }
}

// One share set by hand; the others keep their proportions, and all add up to 1.
export function withShare(view, pane, count, rank, value) {
  let rest = shares(view, pane, count).map((share, other) => (other === rank ? 0 : share));
  if (!sum(rest)) {
    const logits = logitsOf(view).map((logit, other) => (other === rank || other === pane.rank ? -Infinity : logit));
    rest = softmax(logits);
  }
  const scale = (1 - value) / sum(rest);
  return rest.map((share, other) => (other === rank ? value : share * scale));
}

// The weight of each row of a stack in the map of a pane.
function rowWeights(entry, view, pane, count) {
  const share = shares(view, pane, count);
  const own = view.classes.map((each, rank) =>
    (Number(rank === pane.rank) - share[rank]) * (entry.kind === "scored" ? each.logit : 1));
  const rest = [0, 0, 0, 0];
  rest[2 * (entry.kind === "scored") + (pane.contrast === "mean")] = -share[own.length];
  return view.rest ? [...own, ...rest] : own;
}

// The map of a pane: height x width numbers, from planes (Int16Array) and mix (Float32Array) of a stack.
export function mapOf(entry, { planes, mix }, view, pane, count) {
  const map = new Float64Array(entry.height * entry.width);
  const add = (index, weight) => {
    const plane = planes.subarray(index * map.length, (index + 1) * map.length);
    if (weight) plane.forEach((value, i) => { map[i] += weight * value; });
  };
  if (entry.kind === "table") {
    const index = pane.rank * TABULATED.length + TABULATED.indexOf(pane.contrast);
    add(index, mix[index]);
    return map;
  }
  const weights = rowWeights(entry, view, pane, count), number = planes.length / map.length;
  for (let index = 0; index < number; index++) {
    add(index, sum(weights.map((weight, row) => weight && weight * mix[row * number + index])));
  }
  if (entry.kind === "relevance") {
    const score = Math.abs(view.classes[pane.rank].logit);
    return map.map(value => Math.max(0, score * value));
  }
  return map;
}

// Bilinear, each cell over the part of the picture that it stands for (PyTorch's align_corners=False).
export function upsampled(map, height, width, toHeight, toWidth) {
  const rows = steps(height, toHeight), columns = steps(width, toWidth);
  const result = new Float64Array(toHeight * toWidth);
  for (let y = 0; y < toHeight; y++) {
    const { low: top, high: bottom, part: down } = rows[y];
    for (let x = 0; x < toWidth; x++) {
      const { low: left, high: right, part: across } = columns[x];
      const above = map[top * width + left] * (1 - across) + map[top * width + right] * across;
      const below = map[bottom * width + left] * (1 - across) + map[bottom * width + right] * across;
      result[y * toWidth + x] = above * (1 - down) + below * down;
    }
  }
  return result;
}

function steps(from, to) {
  return Array.from({ length: to }, (_, place) => {
    const at = Math.max(0, ((place + 0.5) * from) / to - 0.5);
    const low = Math.min(Math.floor(at), from - 1);
    return { low, high: Math.min(low + 1, from - 1), part: at - low };
  });
}

export const largest = map => map.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
