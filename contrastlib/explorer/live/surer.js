// The logits multiplied by a factor: the exact contrast beside the gradient of the probability in 32 and 16 bits.

import { largest, upsampled } from "../arithmetic.js";
import { overlaid, paint } from "../drawing.js";
import { element, percent } from "../elements.js";
import { cosine, CONTRASTS, mapOfWeights, numbers, rivalOf } from "./contrasts.js";
import { labelled } from "./dom.js";
import { gradientOfProbability } from "./precision.js";
import { SURER } from "./state.js";

const FURTHEST = 40; // log-odds that the largest factor leads to, between the two most probable classes
const KINDS = [["exact", "contrast, exact"], ["float32", "gradient of p, float32"], ["float16", "gradient of p, float16"]];

// The factor at a step of the slider: from 1 to one at which the log-odds between the two most probable classes are large.
export function factorAt(step, logits) {
  const best = rivalOf(logits, []), margin = Math.abs(logits[best] - logits[rivalOf(logits, [best])]);
  return Math.max(2, FURTHEST / Math.max(margin, 1e-3)) ** (step / SURER);
}

// The weights of each kind for logits times a factor. For one target the contrast of its group is the weighted contrast.
export function weightsOf(logits, targets, factor) {
  const scaled = Float64Array.from(logits, logit => factor * logit);
  return { exact: CONTRASTS.group(scaled, targets), float32: gradientOfProbability(scaled, targets, "float32"),
    float16: gradientOfProbability(scaled, targets, "float16"), numbers: numbers(scaled, targets, []) };
}

// How the map of a kind of weights compares with the exact one.
function comparison(kind, weights, similar) {
  if (weights.some(Number.isNaN)) return `the logits exceed the largest ${kind}, no map`;
  return Number.isNaN(similar) ? "all weights are 0, no map" : `cosine ${similar.toFixed(3)}`;
}

export function surer(changed) {
  const control = element("input", { type: "range", name: "surer", min: 0, max: SURER, step: 1, oninput: () => changed(Number(control.value)) });
  const said = element("output", { class: "live-said", "aria-live": "polite" });
  const cells = KINDS.map(([kind, title]) => {
    const canvas = element("canvas", { role: "img", "aria-label": title, width: 224, height: 224, "data-kind": kind });
    const note = element("figcaption");
    return { kind, title, canvas, note, node: element("figure", {}, canvas, note) };
  });
  const node = element("details", { class: "live-surer" }, element("summary", {}, "Make the network surer"),
    element("p", {}, "The slider multiplies all logits. The contrast of the explained classes with all others stays exact. The gradient of the probability, computed in your browser as a framework does it, is rounded."),
    labelled("Factor of the logits", control), said, element("div", { class: "live-three" }, ...cells.map(cell => cell.node)));
  return {
    node,
    update({ state, result, maps, pixels, size, colours }) {
      control.value = state.surer;
      if (!node.open) return;
      const factor = factorAt(state.surer, result.logits), { height, width } = result;
      const found = weightsOf(result.logits, state.targets, factor), length = height * width;
      const exact = mapOfWeights(found.exact, maps, length);
      said.textContent = `Logits × ${factor.toPrecision(3)}: p = ${percent(found.numbers.probability)}, log-odds ${found.numbers.logOdds.toFixed(2)}`;
      for (const { kind, title, canvas, note } of cells) {
        const map = mapOfWeights(found[kind], maps, length), similar = cosine(map, exact);
        paint(canvas, overlaid(pixels, upsampled(map, height, width, size, size), largest(map), state.opacity / 100, colours), size, size);
        note.textContent = `${title}: ${comparison(kind, found[kind], similar)}`;
        canvas.dataset.cosine = similar;
      }
    },
    get open() { return node.open; },
    ontoggle(action) { node.addEventListener("toggle", action); },
  };
}
