// Elements of the page. Text is always set as text: no name of a class or of a file becomes markup.

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

export const button = (title, action, attributes = {}) => element("button", { type: "button", onclick: action, ...attributes }, title);

export const labelled = (text, control, attributes = {}) =>
  element("label", attributes, element("span", { class: "live-label" }, text), control);

// A menu: its options are [value, title] and change only where they differ.
export function menu(text, name, changed) {
  const control = element("select", { name, onchange: () => changed(control.value) });
  return {
    node: labelled(text, control),
    update(options, value) {
      const wanted = JSON.stringify(options);
      if (control.dataset.options !== wanted) {
        control.replaceChildren(...options.map(([key, title]) => element("option", { value: key }, title)));
        control.dataset.options = wanted;
      }
      control.value = value;
    },
  };
}

export function slider(text, name, [min, max, step], changed) {
  const control = element("input", { type: "range", name, min, max, step, oninput: () => changed(Number(control.value)) });
  return { node: labelled(text, control), control };
}

export const percent = share => (share > 0.9995 ? ">99.9 %" : share > 0 && share < 0.0005 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`);

export const signed = value => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
