// Where the explorer runs: in a page without a kernel, or as a live widget.

import { Explorer } from "./explorer.js";
import { address, fromAddress } from "./state.js";
import { tell } from "./view.js";

function decoded(text) {
  return Uint8Array.from(atob(text), character => character.charCodeAt(0));
}

// In a page without a kernel: the data stand in the page, the state in its address.
export async function mountStatic(name, script) {
  const root = nearest(`.contrast-explorer[id="${name}"]`, script);  // a heading may have the same name
  try {
    const { header, chunks } = JSON.parse(nearest(`script[data-explorer="${name}"]`, script).textContent);
    await show(root, name, header, chunk => decoded(chunks[chunk]));
  } catch (error) {
    tell(root, error);
    throw error;
  }
}

// The last before the script that runs, as a page may hold several explorers of one name; the first if none is before
// it, as some notebooks run scripts elsewhere.
function nearest(selector, script) {
  const all = [...document.querySelectorAll(selector)];
  return all.findLast(each => script?.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_PRECEDING) ?? all[0];
}

function show(root, name, header, bytes) {
  const explorer = new Explorer(root, {
    header: () => header, bytes, live: false,
    state: fromAddress(name, location.hash) ?? header.state,
    changed: state => history.replaceState(null, "", address(name, state)),
  });
  explorer.ready = () => {  // the still stays until there is something better
    explorer.ready = null;
    root.replaceChildren(explorer.view);
    root.dataset.ready = "";
    if (fromAddress(name, location.hash)) root.scrollIntoView();
  };
  addEventListener("hashchange", () => {
    const wish = fromAddress(name, location.hash);
    if (wish) explorer.change(wish);
  });
  return explorer.draw();
}

// As a widget in a notebook: data and state are the traits of the Python object. Returns what ends it.
export function render({ model, el }) {
  try {
    return follow(model, el);
  } catch (error) {
    tell(el, error);
    throw error;
  }
}

function follow(model, el) {
  const bytes = chunk => {
    const view = model.get("chunks")[chunk];
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  };
  let told = null;
  const explorer = new Explorer(el, {
    header: () => model.get("header"), bytes, live: true, state: model.get("state"),
    changed: state => {
      told = JSON.stringify(state);
      model.set("state", state);
      model.save_changes();
    },
  });
  const changed = () => {  // both come together when Python adds a picture
    explorer.header = model.get("header");
    if (JSON.stringify(model.get("state")) !== told) explorer.change(model.get("state"));
  };
  el.append(explorer.view);
  model.on("change:state change:header", changed);
  explorer.draw();
  return () => model.off("change:state change:header", changed);
}
