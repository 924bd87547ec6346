// Sentences and Python lines of what is shown.

import { percent } from "../elements.js";
import { probabilityOf, rivalOf } from "./contrasts.js";

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (field, name) => values[name] ?? field);

// The question that the map answers, with the probabilities.
export function question(header, state, logits) {
  const chance = s => `${header.network.classes[s]} (${percent(probabilityOf(logits, [s]))})`;
  return filled(header.contrasts[state.contrast].question, {
    target: state.targets.map(chance).join(" or "), rival: chance(rivalOf(logits, state.targets)),
    others: percent(1 - probabilityOf(logits, state.targets)), foils: state.foils.map(chance).join(" or "),
  });
}

// What the numbers of the page mean.
export const terms = (classes, targets, against) =>
  "The log-odds are log p / (1 − p), which is 0 where p is 50 %. The relative probability is p if there were no classes "
    + `but ${[...targets, ...against].map(s => classes[s]).join(" and ")}.`;

// What is asked of a picture that the network has not seen: its most probable class against the second one.
export const unasked = state => ({ ...state, targets: [], foils: [], contrast: "maximum" });

// Python lines that compute the map. Of a picture of the reader they name the file only. Without a target, Python takes the
// most probable class.
export function python(header, state, picture) {
  const { network, methods, contrasts } = header;
  const target = state.targets.length > 1 ? `[${state.targets.join(", ")}]` : state.targets[0] ?? "None";
  const foils = contrasts[state.contrast].foils ? `, foils=[${state.foils.join(", ")}]` : "";
  return ["import contrastlib, contrastlib.datasets, contrastlib.models", network.code, picture.code,
    filled(methods[state.method].code, { target, layer: network.layer, contrast: `'${state.contrast}'${foils}` }),
    ...(picture.painted ? ["# the picture of the page was painted on afterwards: these lines explain it as it was"] : [])].join("\n");
}

// The code that reads a file of the reader.
export function codeOfFile(name) {
  const quoted = JSON.stringify(name).replaceAll("'", "\\u0027");
  return `from contrastlib.datasets.pictures import open_photo\nfrom pathlib import Path\nimage = network.preprocess(open_photo(Path(${quoted})))`;
}
