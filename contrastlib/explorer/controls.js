// One map with its controls.

import { logitsOf, softmax } from "./arithmetic.js";
import { element, fill, percent, shareText } from "./elements.js";
import { contrastsOf } from "./state.js";
import { choice, scaleBar } from "./view.js";

const HELP = 'Tick classes: the map then asks why not these (contrast "among"). '
  + 'Move a slider: each class then has the weight that you give it (contrast "own").';

// A map with its class and contrast above it, and its other choices in a part that is folded at first.
export function pane(letter, act) {
  const target = choice("Class", "rank", value => act.target(Number(value)));
  const contrast = choice("Contrast", "contrast", value => act.contrast(value));
  const rival = choice("Rival", "rival", value => act.rivals([Number(value)]));
  const picture = choice("Picture", "picture", value => act.picture(value));
  const network = choice("Network", "network", value => act.network(value));
  const method = choice("Method", "method", value => act.choose({ method: value }));
  const layer = choice("Layer", "layer", value => act.choose({ layer: value }));
  const about = element("p", { class: "cx-about" });
  const question = element("p", { class: "cx-question", "aria-live": "polite" });
  const canvas = element("canvas", { tabindex: 0, role: "img", width: 256, height: 256 });
  const cross = element("span", { class: "cx-cross", hidden: true });
  const bars = element("div", { class: "cx-bars", role: "group" });
  const help = element("p", { class: "cx-about" }, HELP);
  const scale = scaleBar(), effect = effectTable();
  const node = element("section", { class: "cx-pane", "aria-label": `Map ${letter}` },
    element("div", { class: "cx-head" }, element("h3", {}, letter), question),
    element("div", { class: "cx-picks" }, target.node, contrast.node, rival.node),
    element("div", { class: "cx-picture" }, canvas, cross), scale.node, effect.node,
    element("div", { class: "cx-choices" }, picture.node, network.node, method.node, layer.node, about, help, bars));
  return {
    node, canvas, cross, scale, effect,
    update(header, state, pane, view, shares, text) {
      question.textContent = text;
      const pictures = header.pictures.map(({ title }, index) => [index, title]);
      fill(picture.control, letter === "A" ? pictures : [["", "the same as A"], ...pictures.filter(([index]) => index !== state.picture)],
        letter === "A" ? state.picture : state.other ?? "");
      picture.node.hidden = pictures.length === 1;
      const views = header.pictures[letter === "A" ? state.picture : state.other ?? state.picture].views;
      fill(network.control, Object.keys(views).map(key => [key, header.networks[key].title]), pane.network);
      const methods = [...new Set(view.maps.map(map => map.method))];
      fill(method.control, methods.map(key => [key, header.methods[key].title]), pane.method);
      const layers = view.maps.filter(map => map.method === pane.method);
      fill(layer.control, layers.map(map => [map.layer, map.layer.replace(/^network\./, "")]), pane.layer);
      const probability = softmax(logitsOf(view)), classes = view.classes.map(each => each.name);
      fill(target.control, classes.map((name, rank) => [rank, `${name}, ${percent(probability[rank])}`]), pane.rank);
      const { kind } = layers.find(map => map.layer === pane.layer);
      fill(contrast.control, contrastsOf(kind, view).map(key => [key, header.contrasts[key].title]), pane.contrast);
      contrast.control.title = header.contrasts[pane.contrast].about;
      about.textContent = `${header.methods[pane.method].about} Contrast: ${header.contrasts[pane.contrast].about}.`;
      const others = [...classes, ...(view.rest ? [`all ${view.rest.count} others`] : [])];
      updateRival(rival, pane, others);
      updateBars(bars, others, pane, shares, probability, kind === "table", act);
      help.textContent = kind === "table" ? "This method takes no weights of your own: it is no weighted sum over classes." : HELP;
    },
  };
}

// The class that the target is set against, where the reader chooses it.
function updateRival({ node, control }, { contrast, rank, foils }, others) {
  node.hidden = contrast !== "among";
  const options = others.map((name, other) => [other, name]).filter(([other]) => other !== rank);
  const several = foils.length > 1 ? [["", `${foils.length} classes`]] : [];
  fill(control, [...several, ...options], foils.length > 1 ? "" : foils[0]);
}

// A row for each other class, with a checkbox, its probability, and a slider for its share.
function updateBars(node, others, pane, shares, probability, fixed, act) {
  const wanted = JSON.stringify([others, pane.rank]);
  if (node.dataset.rows !== wanted) {
    node.dataset.rows = wanted;
    node.setAttribute("aria-label", `Alternatives to ${others[pane.rank]}`);
    node.replaceChildren(...others.flatMap((name, rank) => (rank === pane.rank ? [] : [barRow(name, rank, act)])));
  }
  // a scrolling list without enabled controls must itself be reachable with the keyboard
  fixed ? node.setAttribute("tabindex", 0) : node.removeAttribute("tabindex");
  for (const row of node.children) {
    const rank = Number(row.dataset.rank);
    const [tick, , chance, bar, share] = row.querySelectorAll("input[type=checkbox], .cx-name, .cx-chance, input[type=range], output");
    tick.checked = pane.contrast === "among" && pane.foils.includes(rank);
    chance.textContent = percent(probability[rank]);
    bar.value = Math.round(1000 * shares[rank]);
    bar.setAttribute("aria-valuetext", shareText(shares[rank]));
    share.textContent = shareText(shares[rank]);
    tick.disabled = bar.disabled = fixed;
  }
}

function barRow(name, rank, act) {
  const tick = element("input", { type: "checkbox", onchange: () => act.foil(rank, tick.checked) });
  const bar = element("input", { type: "range", min: 0, max: 1000, step: 1, "aria-label": `Share of ${name}`,
    oninput: () => act.share(rank, bar.value / 1000) });
  return element("div", { class: "cx-bar", "data-rank": rank },
    element("label", {}, tick, element("span", { class: "cx-name" }, name), element("span", { class: "cx-chance" })),
    bar, element("output", {}));
}

// Probabilities before and after masking.
function effectTable() {
  const node = element("div", { class: "cx-effect", "aria-live": "polite", hidden: true });
  return {
    node,
    // rows: [name, title, before, after]; a text in their place says why there are none
    update(rows) {
      node.hidden = rows === null;
      if (typeof rows === "string") node.replaceChildren(element("p", { class: "cx-about" }, rows));
      else if (rows) node.replaceChildren(...rows.map(effectRow));
    },
  };
}

function effectRow([name, title, before, after]) {
  const gauge = element("span", { class: "cx-gauge", "aria-hidden": "true" });
  gauge.style.setProperty("--before", before);
  gauge.style.setProperty("--after", after);
  return element("div", { class: "cx-row" }, element("span", { class: "cx-name", title }, name), gauge,
    element("span", { class: "cx-numbers" }, percent(before), " → ", element("b", {}, percent(after))));
}
