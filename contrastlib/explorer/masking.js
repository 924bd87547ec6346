// Probabilities before and after masking by a map. masked.py holds the same functions in Python.

import { logitsOf, softmax } from "./arithmetic.js";

export const SIGNS = ["positive", "negative"];
export const FILL = ["blur", "zero", "mean"];
const PRECISION = 1000; // recorded are negative logarithms of probabilities, in thousandths
const [RANKS, RIVALS] = [2, 3];

// The panes whose masked pictures are recorded, in the order of the records.
export function recordedPanes(view, kind) {
  const ranks = view.classes.map((_, rank) => rank);
  return ranks.slice(0, RANKS).flatMap(rank => [
    ...Object.keys(view.weights).map(contrast => ({ rank, contrast, foil: null })),
    ...(kind === "table" ? [] : ranks.slice(0, RIVALS).filter(foil => foil !== rank)
      .map(foil => ({ rank, contrast: "among", foil })))]);
}

// The recorded logarithms of the probabilities of the listed classes and, last, of all others; null if there are none.
export function recordedLogs(integers, view, kind, pane, keep, fill) {
  const foils = pane.contrast === "among" ? pane.foils : [null];
  const index = recordedPanes(view, kind).findIndex(each =>
    each.rank === pane.rank && each.contrast === pane.contrast && foils.length === 1 && each.foil === foils[0]);
  if (index < 0) return null;
  const columns = view.classes.length + 1;
  const row = (index * SIGNS.length + SIGNS.indexOf(keep)) * FILL.length + FILL.indexOf(fill);
  return Array.from(integers.subarray(row * columns, (row + 1) * columns), value => -value / PRECISION);
}

// The classes among which the relative probability of the target is computed: it and its rivals.
export function rivals(view, pane) {
  if (pane.contrast === "among") return pane.foils;
  return [pane.rank === 0 ? 1 : 0];
}

// Probability of the target, and relative probability, from logits or logarithms of probabilities.
function chances(logs, view, pane) {
  const all = softmax(logs);
  const compared = [pane.rank, ...rivals(view, pane)];
  return [all[pane.rank], softmax(compared.map(rank => logs[rank]))[0]];
}

// [before, after] of the probability of the target and of its relative probability.
export function effect(view, pane, logs) {
  const before = chances(logitsOf(view), view, pane), after = chances(logs, view, pane);
  return before.map((share, i) => [share, after[i]]);
}

// The cosine of two maps, or null where one of them is 0 everywhere.
export function cosine(one, other) {
  const dot = (a, b) => a.reduce((total, value, i) => total + value * b[i], 0);
  const lengths = Math.sqrt(dot(one, one) * dot(other, other));
  return lengths ? dot(one, other) / lengths : null;
}
