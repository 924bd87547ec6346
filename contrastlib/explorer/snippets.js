// Python code that computes the map of a pane, from the templates in the header. snippets.py does the same.

import { INTERACTIVE } from "./arithmetic.js";

const IMPORTS = "import torch, contrastlib, contrastlib.datasets, contrastlib.models";

export function snippet(header, picture, pane, shares, { keep, fill }) {
  const view = picture.views[pane.network], network = header.networks[pane.network];
  const { pooled } = view.maps.find(map => map.method === pane.method && map.layer === pane.layer);
  const { lines, argument } = contrastCode(view, pane, shares);
  const call = filled(header.methods[pane.method].code,
    { target: view.classes[pane.rank].index, layer: pane.layer, pooled, contrast: argument });
  const masking = keep === "all" ? [] : [filled(header.masking[keep], { fill: header.fills[fill], classes: network.classes })];
  return [IMPORTS, network.code, picture.code.replace("{size}", network.size), ...lines, call, ...masking].join("\n");
}

// A text with its {fields} replaced by values, in one pass: fields in the values are not replaced.
export const filled = (text, values) => text.replace(/\{(\w+)\}/g, (field, name) => values[name] ?? field);

// Lines that define the contrast, and the expression for it.
function contrastCode(view, { contrast, foils, rank }, shares) {
  const listed = view.classes.map(each => each.index);
  if (!INTERACTIVE.includes(contrast)) return { lines: [], argument: `'${contrast}'` };
  if (contrast === "among" && !foils.includes(listed.length)) {
    return { lines: [], argument: `'among', foils=[${foils.map(foil => listed[foil]).join(", ")}]` };
  }
  const lines = ["y = contrastlib.autograd.predict(network, image[None])", "w = torch.zeros_like(y)", `w[0, ${listed[rank]}] = 1`,
    ...listed.flatMap((index, other) => (shares[other] ? [`w[0, ${index}] = ${-shares[other]}`] : []))];
  if (shares[listed.length]) {
    lines.push(`others = y.index_fill(1, torch.tensor([${listed.join(", ")}]), -torch.inf)`,
      `w -= ${shares[listed.length]} * others.softmax(dim=1)`);
  }
  return { lines, argument: "w" };
}
