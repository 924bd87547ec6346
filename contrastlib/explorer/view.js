// The controls that both maps share. They are built once and updated from the state.

import { element } from "./elements.js";
import { FILL } from "./masking.js";
import { KEEP } from "./state.js";

// Shows an error below the explorer, or removes an earlier one.
export function showError(root, error) {
  root.querySelector(".cx-problem")?.remove();
  if (error) root.append(element("p", { class: "cx-problem", role: "alert" }, `The explorer cannot run here: ${error.message}`));
}

export const labelled = (text, control, attributes = {}) =>
  element("label", attributes, element("span", { class: "cx-label" }, text), control);

export function choice(text, name, changed) {
  const control = element("select", { name, onchange: () => changed(control.value) });
  return { node: labelled(text, control), control };
}

// The row of thumbnails to choose a picture from.
export function pictureChoice(name, changed) {
  const node = element("fieldset", { class: "cx-pictures" }, element("legend", {}, "Picture"));
  const group = `${name}-picture-${Math.random()}`;  // not shared with another explorer of the same name
  return {
    node,
    update(header, state, thumbnails) {
      node.hidden = header.pictures.length === 1;
      while (node.childElementCount - 1 < header.pictures.length) {
        const index = node.childElementCount - 1, { title } = header.pictures[index];
        const button = element("input", { type: "radio", name: group, value: index, onchange: () => changed(index) });
        node.append(element("label", { title }, button, element("img", { src: thumbnails(index), alt: title })));
      }
      node.querySelectorAll("input").forEach((button, index) => { button.checked = index === state.picture; });
    },
  };
}

const INSTRUCTIONS = "Red speaks for the class, blue against it. Choose a class and a contrast above each map. "
  + "More unfolds the rest: network, method, layer, other classes, another picture for B.";

// The guided tour: its steps are links to states of the explorer. Without a step, the text says how to use it.
export function tour(steps, go) {
  const links = steps.map(({ title, address }, i) => element("a", { href: address,
    onclick: event => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;  // a new tab or window
      event.preventDefault();
      go(i);
    } }, element("span", { class: "cx-number", "aria-hidden": "true" }, i + 1), title));
  const text = element("p", { class: "cx-say", "aria-live": "polite" });
  const list = element("ol", {}, ...links.map(link => element("li", {}, link)));
  const nav = element("nav", { class: "cx-tour", "aria-label": "Tour", hidden: !steps.length }, list);
  return {
    node: element("div", { class: "cx-guide" }, nav, text),
    update(current) {
      text.textContent = steps[current]?.text ?? INSTRUCTIONS;
      links.forEach((link, i) => (i === current ? link.setAttribute("aria-current", "step") : link.removeAttribute("aria-current")));
    },
  };
}

export function scaleBar() {
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

// The bar of controls of both panes. Its last button folds out the choices of each pane.
export function tools(act, unfold) {
  const opacity = element("input", { type: "range", min: 0, max: 100, name: "opacity",
    oninput: () => act({ opacity: opacity.value / 100 }) });
  const shared = element("input", { type: "checkbox", name: "shared", onchange: () => act({ shared: shared.checked }) });
  const difference = element("input", { type: "checkbox", name: "difference",
    onchange: () => act({ difference: difference.checked }) });
  const show = choice("Show", "keep", value => act({ keep: value }));
  const masked = choice("Masked by", "fill", value => act({ fill: value }));
  const titles = { all: "the map", positive: "red only", negative: "blue only",
    blur: "blur", zero: "black", mean: "mean" };
  fill(show.control, KEEP.map(key => [key, titles[key]]), "all");
  fill(masked.control, FILL.map(key => [key, titles[key]]), "blur");
  const opacityControl = labelled("Opacity", opacity, { class: "cx-extra" });
  const check = { class: "cx-check cx-extra" };
  const differenceControl = labelled("Difference", difference, check);
  const fold = element("button", { type: "button", class: "cx-fold", "aria-expanded": "false", onclick: unfold }, "More");
  return {
    node: element("div", { class: "cx-tools" }, show.node, masked.node, opacityControl,
      labelled("Same scale", shared, check), differenceControl, fold),
    fold,
    update(state) {
      opacity.value = Math.round(100 * state.opacity);
      shared.checked = state.shared;
      difference.checked = state.difference;
      differenceControl.hidden = state.other !== null;
      show.control.value = state.keep;
      masked.control.value = state.fill;
      masked.node.hidden = state.keep === "all";
      opacityControl.hidden = state.keep !== "all";
    },
  };
}
