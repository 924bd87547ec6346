// The controls. They are built once and updated from the state.

import { logitsOf, softmax } from "./arithmetic.js";
import { contrastsOf, FILL, KEEP } from "./state.js";

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// Shows an error below the explorer, or removes an earlier one.
export function showError(root, error) {
  root.querySelector(".cx-problem")?.remove();
  if (error) root.append(element("p", { class: "cx-problem", role: "alert" }, `The explorer cannot run here: ${error.message}`));
}

const labelled = (text, control, attributes = {}) =>
  element("label", attributes, element("span", { class: "cx-label" }, text), control);

export const percent = share => (share > 0.9995 ? ">99.9 %" : share > 0 && share < 0.0005 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`);

function choice(text, name, changed) {
  const control = element("select", { name, onchange: () => changed(control.value) });
  return { node: labelled(text, control), control };
}

function fill(control, options, value) {
  const wanted = JSON.stringify(options);
  if (control.dataset.options !== wanted) {
    control.replaceChildren(...options.map(([key, title]) => element("option", { value: key }, title)));
    control.dataset.options = wanted;
  }
  control.value = value;
}

// The row of thumbnails to choose a picture from.
export function pictureChoice(name, changed) {
  const node = element("fieldset", { class: "cx-pictures" }, element("legend", {}, "Picture"));
  const group = `${name}-picture-${Math.random()}`;  // not shared with another explorer of the same name
  return {
    node,
    update(header, state, thumbnails) {
      while (node.childElementCount - 1 < header.pictures.length) {
        const index = node.childElementCount - 1, { title } = header.pictures[index];
        const button = element("input", { type: "radio", name: group, value: index, onchange: () => changed(index) });
        node.append(element("label", { title }, button, element("img", { src: thumbnails(index), alt: title })));
      }
      node.querySelectorAll("input").forEach((button, index) => { button.checked = index === state.picture; });
    },
  };
}

// One map with its controls: network, method, layer, class, contrast and the shares of the other classes.
export function pane(title, act) {
  const network = choice("Network", "network", value => act.network(value));
  const method = choice("Method", "method", value => act.choose({ method: value }));
  const layer = choice("Layer", "layer", value => act.choose({ layer: value }));
  const target = choice("Class", "rank", value => act.target(Number(value)));
  const contrast = choice("Contrast", "contrast", value => act.contrast(value));
  const about = element("p", { class: "cx-about" });
  const question = element("p", { class: "cx-question", "aria-live": "polite" });
  const canvas = element("canvas", { tabindex: 0, role: "img", width: 256, height: 256 });
  const cross = element("span", { class: "cx-cross", hidden: true });
  const bars = element("div", { class: "cx-bars", role: "group" });
  const scale = scaleBar();
  const node = element("section", { class: "cx-pane", "aria-label": title }, element("h3", {}, title),
    element("div", { class: "cx-choices" }, network.node, method.node, layer.node, target.node, contrast.node), about, question,
    element("div", { class: "cx-picture" }, canvas, cross), scale.node, bars);
  return {
    node, canvas, cross, scale,
    update(header, state, pane, view, shares, text) {
      question.textContent = text;
      const views = header.pictures[state.picture].views;
      fill(network.control, Object.keys(views).map(key => [key, header.networks[key].title]), pane.network);
      const methods = [...new Set(view.maps.map(map => map.method))];
      fill(method.control, methods.map(key => [key, header.methods[key].title]), pane.method);
      const layers = view.maps.filter(map => map.method === pane.method);
      fill(layer.control, layers.map(map => [map.layer, map.layer.replace(/^network\./, "")]), pane.layer);
      layer.node.hidden = methods.length === view.maps.length; // the same in both panes, so that their maps are aligned
      const probability = softmax(logitsOf(view));
      fill(target.control, view.classes.map((each, rank) => [rank, `${each.name}, ${percent(probability[rank])}`]), pane.rank);
      const { kind } = layers.find(map => map.layer === pane.layer);
      fill(contrast.control, contrastsOf(kind, view).map(key => [key, header.contrasts[key].title]), pane.contrast);
      about.textContent = `${header.methods[pane.method].about} Contrast: ${header.contrasts[pane.contrast].about}.`;
      updateBars(bars, view, pane, shares, probability, kind === "table", act);
    },
  };
}

// A row for each other class, with a checkbox, its probability, and a slider for its share.
function updateBars(node, view, pane, shares, probability, fixed, act) {
  const others = [...view.classes.map(each => each.name), ...(view.rest ? [`all ${view.rest.count} others`] : [])];
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
    bar.style.setProperty("--share", shares[rank]);
    bar.setAttribute("aria-valuetext", percent(shares[rank]));
    share.textContent = percent(shares[rank]);
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

function scaleBar() {
  const strip = element("canvas", { class: "cx-strip", width: 256, height: 1, "aria-hidden": "true" });
  const [low, high] = [element("span"), element("span")];
  const node = element("div", { class: "cx-scale" }, low, strip, high);
  return {
    node,
    update(limit, colours) {
      const number = value => (value ? value.toPrecision(2) : "0");
      low.textContent = `${number(-limit)} against`;
      high.textContent = `for ${number(limit)}`;
      const pixels = new Uint8ClampedArray(colours.flatMap(colour => [...colour, 255]));
      strip.getContext("2d").putImageData(new ImageData(pixels, colours.length, 1), 0, 0);
    },
  };
}

// The controls of both panes.
export function tools(act) {
  const opacity = element("input", { type: "range", min: 0, max: 100, name: "opacity",
    oninput: () => act({ opacity: opacity.value / 100 }) });
  const shared = element("input", { type: "checkbox", name: "shared", onchange: () => act({ shared: shared.checked }) });
  const difference = element("input", { type: "checkbox", name: "difference",
    onchange: () => act({ difference: difference.checked }) });
  const show = choice("Show", "keep", value => act({ keep: value }));
  const masked = choice("Masked by", "fill", value => act({ fill: value }));
  const titles = { all: "the map", positive: "pixels with positive values", negative: "pixels with negative values",
    blur: "a blurred picture", zero: "black", mean: "the mean colour" };
  fill(show.control, KEEP.map(key => [key, titles[key]]), "all");
  fill(masked.control, FILL.map(key => [key, titles[key]]), "blur");
  const opacityControl = labelled("Opacity", opacity);
  return {
    node: element("div", { class: "cx-tools" }, show.node, masked.node, opacityControl,
      labelled("Same scale for both", shared, { class: "cx-check" }), labelled("Difference", difference, { class: "cx-check" })),
    update(state) {
      opacity.value = Math.round(100 * state.opacity);
      shared.checked = state.shared;
      difference.checked = state.difference;
      show.control.value = state.keep;
      masked.control.value = state.fill;
      masked.node.hidden = state.keep === "all";
      opacityControl.hidden = state.keep !== "all";
    },
  };
}
