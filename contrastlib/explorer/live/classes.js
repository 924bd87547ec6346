// The list of classes: the chosen ones, those that the reader searches for, and the most probable ones.

import { element, percent } from "../elements.js";
import { probabilityOf } from "./contrasts.js";
import { labelled } from "./dom.js";

const TOP = 6, FOUND = 8;

const NOTHING = "The classes of your picture are listed here once the network has seen it.";
const GROUP = "Several classes under why are set against all other classes together, so none can be chosen under not.";

// example: a class to search for; act(list, others, kind)
export function classList(names, example, act) {
  const search = element("input", { type: "search", name: "search", autocomplete: "off", placeholder: example, oninput: () => refresh() });
  const rows = element("div", { class: "live-rows", role: "group", "aria-label": "Classes" });
  const [note, group] = [1, 2].map(() => element("p", { class: "live-note", "aria-live": "polite" }));
  const node = element("div", { class: "live-classes" }, labelled(`Search ${names.length.toLocaleString("en")} classes`, search), note, rows, group);
  let shown = null;

  function refresh() {
    if (!shown) return;
    const { state, logits } = shown, words = search.value.trim().toLowerCase();
    search.disabled = !logits;
    group.textContent = logits && state.targets.length > 1 ? GROUP : "";
    if (!logits) {
      note.textContent = NOTHING;
      return rows.replaceChildren();
    }
    const order = [...logits.keys()].sort((one, other) => logits[other] - logits[one]);
    const found = words ? order.filter(s => names[s].toLowerCase().includes(words)) : [];
    note.textContent = words && !found.length ? `No class is called “${search.value.trim()}”.`
      : found.length > FOUND ? `${FOUND} of ${found.length} classes` : "";
    const listed = [...new Set([...state.targets, ...state.foils, ...(words ? found.slice(0, FOUND) : order.slice(0, TOP))])];
    const focused = rows.contains(document.activeElement) && document.activeElement.dataset.key;
    rows.replaceChildren(...listed.map(s => row(s, state, shown.known ? probabilityOf(logits, [s]) : null)));
    if (focused) (rows.querySelector(`[data-key="${focused}"]:enabled`) ?? search).focus();
  }

  const toggled = (list, s, on) => (on ? [...list, s] : list.filter(other => other !== s));

  function row(s, state, probability) {
    const box = (kind, title, list, others, disabled) => {
      const input = element("input", { type: "checkbox", "data-key": `${kind}${s}`, "aria-label": `${title} ${names[s]}`, disabled,
        onchange: () => act(toggled(list, s, input.checked), others.filter(other => other !== s), kind) });
      input.checked = list.includes(s);
      return element("label", { class: "live-tick" }, input, element("span", { "aria-hidden": "true" }, title));
    };
    const only = state.targets.length === 1 && state.targets.includes(s);
    const bar = element("meter", { min: 0, max: 1, value: probability ?? 0, "aria-label": `Probability of ${names[s]}` });
    return element("div", { class: "live-row", "data-class": s }, element("span", { class: "live-name", title: names[s] }, names[s]),
      element("span", { class: "live-chance" }, probability === null ? "–" : percent(probability)), bar,
      box("t", "why", state.targets, state.foils, only), box("f", "not", state.foils, state.targets, only || state.targets.length > 1));
  }

  // logits: the answer that the list is ordered by, or null; known: whether it is that of the picture as it is
  return { node, update(state, logits, known) { shown = { state, logits, known }; refresh(); } };
}
