// Tabs over panes that scroll sideways where there is no room for all of them. A swipe over the panes does the same.

import { element } from "./elements.js";

// Returns the node and its buttons. Each pane is as wide as the window on it.
export function tabs(titles, panes, name) {
  const buttons = titles.map((title, i) => element("button", { type: "button", "aria-pressed": String(i === 0),
    onclick: () => panes.scrollTo({ left: i * panes.clientWidth }) }, title));
  panes.addEventListener("scroll", () => {
    const shown = Math.round(panes.scrollLeft / panes.clientWidth);
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === shown)));
  });
  return { node: element("div", { class: name, role: "group", "aria-label": "Map" }, ...buttons), buttons };
}
