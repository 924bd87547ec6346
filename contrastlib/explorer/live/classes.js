// The list of classes: the chosen ones, those that the reader searches for, and the most probable ones.

import { element, percent } from "../elements.js";
import { numbers } from "./contrasts.js";
import { labelled } from "./dom.js";

const TOP = 6, FOUND = 8;

// act: targets(list), foils(list)
export function classList(names, act) {
  const search = element("input", { type: "search", name: "search", autocomplete: "off", placeholder: "coffee mug", oninput: () => refresh() });
  const rows = element("div", { class: "live-rows", role: "group", "aria-label": "Classes" });
  const note = element("p", { class: "live-note", "aria-live": "polite" });
  const node = element("div", { class: "live-classes" }, labelled(`Search ${names.length.toLocaleString("en")} classes`, search), note, rows);
  let shown = null;

  function refresh() {
    if (!shown) return;
    const { state, logits } = shown, words = search.value.trim().toLowerCase();
    const order = [...logits.keys()].sort((one, other) => logits[other] - logits[one]);
    const found = words ? order.filter(s => names[s].toLowerCase().includes(words)) : [];
    note.textContent = words && !found.length ? `No class is called “${search.value.trim()}”.`
      : found.length > FOUND ? `${FOUND} of ${found.length} classes` : "";
    const listed = [...new Set([...state.targets, ...state.foils, ...(words ? found.slice(0, FOUND) : order.slice(0, TOP))])];
    const focused = document.activeElement?.dataset?.key;
    rows.replaceChildren(...listed.map(s => row(s, state, numbers(logits, [s], []).probability)));
    if (focused) rows.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  const toggled = (list, s, on) => (on ? [...list, s] : list.filter(other => other !== s));

  function row(s, state, probability) {
    const box = (kind, title, list, others, disabled) => {
      const input = element("input", { type: "checkbox", "data-key": `${kind}${s}`, "aria-label": `${title} ${names[s]}`, disabled,
        onchange: () => act(toggled(list, s, input.checked), others.filter(other => other !== s), kind) });
      input.checked = list.includes(s);
      return element("label", { class: "live-tick" }, input, element("span", { "aria-hidden": "true" }, title));
    };
    const bar = element("meter", { min: 0, max: 1, value: probability, "aria-label": `Probability of ${names[s]}` });
    return element("div", { class: "live-row", "data-class": s }, element("span", { class: "live-name", title: names[s] }, names[s]),
      element("span", { class: "live-chance" }, percent(probability)), bar,
      box("t", "why", state.targets, state.foils, state.targets.length === 1 && state.targets.includes(s)),
      box("f", "not", state.foils, state.targets, state.targets.length === 1 && state.targets.includes(s)));
  }

  return { node, update(state, logits) { shown = { state, logits }; refresh(); } };
}
