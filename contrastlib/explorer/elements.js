// Elements of a page. Text is always set as text: no name of a class or of a file becomes markup.

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

// Sets the value of a menu. Its options are [value, title], and are replaced only where they differ.
export function fill(control, options, value) {
  const wanted = JSON.stringify(options);
  if (control.dataset.options !== wanted) {
    control.replaceChildren(...options.map(([key, title]) => element("option", { value: key }, title)));
    control.dataset.options = wanted;
  }
  control.value = value;
}

export const shareText = share => `${(100 * share).toFixed(1)} %`;

// A probability, which is never rounded to 0 or 1. plotting.py writes it with the same limits.
export const percent = share => (share < 0.001 ? "<0.1 %" : share > 0.999 ? ">99.9 %" : shareText(share));
