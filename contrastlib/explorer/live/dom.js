// Labelled controls of the live page.

import { element, fill } from "../elements.js";

export const button = (title, action, attributes = {}) => element("button", { type: "button", onclick: action, ...attributes }, title);

export const labelled = (text, control, attributes = {}) =>
  element("label", attributes, element("span", { class: "live-label" }, text), control);

export function menu(text, name, changed) {
  const control = element("select", { name, onchange: () => changed(control.value) });
  return { node: labelled(text, control), update: (options, value) => fill(control, options, value) };
}

export function slider(text, name, [min, max, step], changed) {
  const control = element("input", { type: "range", name, min, max, step, oninput: () => changed(Number(control.value)) });
  return { node: labelled(text, control), control };
}

export const signed = value => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
