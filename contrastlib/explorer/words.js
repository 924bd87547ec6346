// What a map is and what masking by it does, in words.

import { logitsOf, softmax } from "./arithmetic.js";
import { percent } from "./elements.js";
import { effect, rivals } from "./masking.js";
import { filled } from "./snippets.js";

const names = view => [...view.classes.map(each => each.name), "all others"];

// The question that a map answers.
export function question(header, view, { rank, contrast, foils }) {
  const probability = softmax(logitsOf(view)), all = names(view);
  const named = index => `${all[index]} (${percent(probability[index])})`;
  return filled(header.contrasts[contrast].question, { target: named(rank), rival: named(rank === 0 ? 1 : 0),
    others: percent(1 - probability[rank]), foils: foils.map(named).join(" or ") });
}

// The description of a map: method and contrast, class, network and layer.
export function described(header, view, { network, method, layer, rank, contrast }) {
  return [`${header.methods[method].title}, ${header.contrasts[contrast].title}`, view.classes[rank].name,
    `${header.networks[network].title}, ${layer.replace(/^network\./, "")}`];
}

// What masking does to the probability of the target and to its relative probability: [name, title, before, after].
export function effectRows(view, pane, logs) {
  const all = names(view), [own, relative] = effect(view, pane, logs);
  const against = rivals(view, pane).map(rank => all[rank]).join(" or "), target = all[pane.rank];
  return [["probability", `Probability of ${target}`, ...own],
    [`against ${against}`, `Relative probability: of ${target}, among it and ${against}`, ...relative]];
}
