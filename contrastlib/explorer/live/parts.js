// Repainting a part of a drawn bird: what the network loses by it, beside what the map says of the part.

import { element } from "../elements.js";
import { numbers, rivalOf } from "./contrasts.js";
import { menu, signed } from "./dom.js";

const AS_IT_WAS = "as it was";

// repaint(image) is called with the encoded picture, or null for the bird as it was.
export function parts(header, repaint) {
  const masks = header.parts.map(part => pixelsInside(part.mask));
  let part = 0;
  const version = menu("Repaint it", "version", value => repaint(value === AS_IT_WAS ? null : header.parts[part].versions[value].image));
  const which = menu("Part of the bird", "part", value => {
    part = Number(value);
    show(AS_IT_WAS);
    repaint(null);
  });
  const cells = new Map();
  const row = (key, title) => {
    cells.set(key, element("td"));
    return element("tr", { "data-part-quantity": key }, element("th", { scope: "row" }, title), cells.get(key));
  };
  const table = element("table", { class: "live-numbers" }, element("tbody", {},
    row("share", "The map in this part"), row("logit", "Fall of yₜ by repainting"),
    row("difference", "Fall of yₜ − yₛ"), row("logOdds", "Fall of the log-odds")));
  const show = value => {
    which.update(header.parts.map(({ name }, index) => [String(index), name]), String(part));
    version.update([[AS_IT_WAS, AS_IT_WAS], ...header.parts[part].versions.map(({ title }, index) => [String(index), title])], value);
  };
  show(AS_IT_WAS);
  return {
    node: element("div", { class: "live-parts" }, element("div", { class: "live-menus" }, which.node, version.node), table),
    // state, answers before and now, and the map (pixels) before
    update({ state, before, now, map }) {
      const { targets, foils } = state, rival = foils[0] ?? rivalOf(before.logits, targets);
      const scale = (before.height * before.width) / map.length;  // the sum of the map stays in the unit of the logits
      const share = masks[part].reduce((sum, pixel) => sum + map[pixel], 0) * scale;
      const [was, is] = [before, now].map(({ logits }) => {
        const logit = logits[targets[0]];
        return { logit, difference: logit - logits[rival], logOdds: numbers(logits, targets, foils).logOdds };
      });
      cells.get("share").textContent = signed(share);
      for (const key of ["logit", "difference", "logOdds"]) cells.get(key).textContent = signed(was[key] - is[key]);
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
