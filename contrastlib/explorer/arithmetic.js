// Weights of contrasts, maps from weights, and maps at the size of the picture.
// arithmetic.py holds the same functions in Python; packing.py defines the format of the compressed maps.

export const INTERACTIVE = ["among", "own"]; // contrasts that the reader defines, by foils or by weights

export const sum = values => values.reduce((total, value) => total + value, 0);

export function softmax(logits) {
  const highest = Math.max(...logits);
  const powers = logits.map(logit => Math.exp(logit - highest));
  const total = sum(powers);
  return powers.map(power => power / total);
}

// Logits of the listed classes and, last, of all other classes together.
export const logitsOf = view => [...view.classes.map(each => each.logit), view.rest ? view.rest.logit : -Infinity];

// The weights of a contrast over the listed classes and the rests, from the header or as set by the reader.
function weights(view, pane) {
  if (!INTERACTIVE.includes(pane.contrast)) return view.weights[pane.contrast][pane.rank];
  const against = shares(view, pane), listed = view.classes.length;
  const rests = Array.from({ length: view.rest?.rows ?? 0 }, (_, number) => (number ? 0 : -against[listed]));
  return [...view.classes.map((_, rank) => (rank === pane.rank ? 1 : -against[rank])), ...rests];
}

// The share of each listed class and, last, of all other classes in what the target is contrasted with.
export function shares(view, pane) {
  if (pane.contrast === "own") return pane.weights;
  if (pane.contrast === "among") {
    return pane.foils.length ? probabilities(view, rank => pane.foils.includes(rank)) : logitsOf(view).map(() => 0);
  }
  const found = weights(view, pane), listed = view.classes.length;
  const scale = Math.abs(found[pane.rank]) || 1;
  return [...found.slice(0, listed), sum(found.slice(listed))]
    .map((weight, rank) => (rank === pane.rank || !weight ? 0 : -weight / scale));
}

// Probabilities among the chosen ranks, and 0 for all other ranks.
const probabilities = (view, chosen) =>
  softmax(logitsOf(view).map((logit, rank) => (chosen(rank) ? logit : -Infinity)));

// Positive shares of the chosen ranks, or their probabilities where the contrast has none.
function positiveShares(view, pane, chosen) {
  const positive = shares(view, pane).map((share, rank) => (chosen(rank) ? Math.max(0, share) : 0));
  return sum(positive) ? positive : probabilities(view, chosen);
}

// The shares that the reader's own weights begin with.
export const ownShares = (view, pane) => positiveShares(view, pane, rank => rank !== pane.rank);

// All shares after the reader has set one: the others keep their proportions, and the sum is 1.
export function withShare(view, pane, rank, value) {
  const rest = positiveShares(view, pane, other => other !== rank && other !== pane.rank);
  const scale = (1 - value) / sum(rest);
  return rest.map((share, other) => (other === rank ? value : share * scale));
}

// The weight of each row of a stack in the map of a pane.
function rowWeights(entry, view, pane) {
  const found = weights(view, pane), listed = view.classes.length;
  const own = view.classes.map((each, rank) => found[rank] * (entry.kind === "scored" ? each.logit : 1));
  const rest = found.slice(listed), none = rest.map(() => 0);
  return entry.kind === "scored" ? [...own, ...none, ...rest] : [...own, ...rest];
}

// The map of a pane, height x width numbers, from the planes (Int16Array) and coefficients (Float32Array) of a stack.
export function mapOf(entry, { planes, coefficients }, view, pane) {
  const map = new Float64Array(entry.height * entry.width);
  const add = (index, weight) => {
    const plane = planes.subarray(index * map.length, (index + 1) * map.length);
    if (weight) plane.forEach((value, i) => { map[i] += weight * value; });
  };
  if (entry.kind === "table") {
    const names = Object.keys(view.weights), index = pane.rank * names.length + names.indexOf(pane.contrast);
    add(index, coefficients[index]);
    return map;
  }
  const weights = rowWeights(entry, view, pane), number = planes.length / map.length;
  for (let index = 0; index < number; index++) {
    add(index, sum(weights.map((weight, row) => weight && weight * coefficients[row * number + index])));
  }
  if (entry.kind === "relevance") {
    const score = Math.abs(view.classes[pane.rank].logit);
    return map.map(value => Math.max(0, score * value));
  }
  return map;
}

// Bilinear interpolation, as in PyTorch with align_corners=False.
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
  return Array.from({ length: to }, (_, index) => {
    const position = Math.max(0, ((index + 0.5) * from) / to - 0.5);
    const low = Math.min(Math.floor(position), from - 1);
    return { low, high: Math.min(low + 1, from - 1), part: position - low };
  });
}

export const largest = map => map.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
