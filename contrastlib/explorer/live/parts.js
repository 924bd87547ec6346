// Repainting a part of a drawn bird: what the network loses by it, beside what the map says of the part.

import { element } from "../elements.js";
import { numbers } from "./contrasts.js";
import { menu, signed } from "./dom.js";

const AS_IT_WAS = "as it was";
const FALLS = ["logit", "lead", "logOdds"]; // fields of numbers() that the table shows the fall of

// repaint(trait) is called with { part, version }, or with null for the bird as it was.
export function parts(header, repaint) {
  const masks = header.parts.map(part => pixelsInside(part.mask)), names = header.network.classes;
  let part = 0;
  const version = menu("Repaint it", "version", value => repaint(value === AS_IT_WAS ? null : { part, version: value }));
  const which = menu("Part of the bird", "part", value => {
    part = Number(value);
    show(null);
    repaint(null);
  });
  const titles = new Map(), cells = new Map();
  const row = key => {
    titles.set(key, element("th", { scope: "row" }));
    cells.set(key, element("td"));
    return element("tr", { "data-part-quantity": key }, titles.get(key), cells.get(key));
  };
  const table = element("table", { class: "live-numbers" }, element("tbody", {}, row("share"), ...FALLS.map(row)));
  const show = trait => {
    part = trait?.part ?? part;
    which.update(header.parts.map(({ name }, index) => [String(index), name]), String(part));
    version.update([[AS_IT_WAS, AS_IT_WAS], ...header.parts[part].versions.map(({ title }, index) => [String(index), title])],
      trait?.version ?? AS_IT_WAS);
  };
  const name = (targets, against) => {
    const [own, others] = [targets, against].map(list => list.map(s => names[s]).join(" or "));
    titles.get("share").textContent = "What the map gives to this part";
    titles.get("logit").textContent = `Fall of the logit yₜ of ${own}`;
    titles.get("lead").textContent = `Fall of yₜ − yₛ, its lead over ${others}`;
    titles.get("logOdds").textContent = "Fall of its log-odds";
  };
  show(null);
  return {
    node: element("div", { class: "live-parts" }, element("div", { class: "live-menus" }, which.node, version.node), table,
      element("p", { class: "live-note" }, "All four numbers have the unit of the logits. Several classes count as one, with the logarithm of the sum of their exponentials as their logit.")),
    // the classes, the answers before and now (null if there is none), the map (pixels) before, and the trait that is painted
    update({ targets, against, before, now, map, trait }) {
      const scale = (before.height * before.width) / map.length;  // the sum of the map stays in the unit of the logits
      show(trait);
      name(targets, against);
      cells.get("share").textContent = signed(scale * masks[part].reduce((sum, pixel) => sum + map[pixel], 0));
      const [was, is] = [before, now].map(answer => answer && numbers(answer.logits, targets, against));
      for (const key of FALLS) cells.get(key).textContent = is ? signed(was[key] - is[key]) : "–";
    },
  };
}

// The indices of the pixels of a mask, whose bits are packed with the highest first.
function pixelsInside(mask) {
  const inside = [];
  [...atob(mask)].forEach((character, byte) => {
    for (let bit = 0; bit < 8; bit++) if (character.charCodeAt(0) & (128 >> bit)) inside.push(8 * byte + bit);
  });
  return inside;
}
