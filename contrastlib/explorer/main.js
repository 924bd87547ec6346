// Where the explorer runs: in a page without a kernel, or as a live widget.

import { Explorer } from "./explorer.js";
import { address, fromAddress } from "./state.js";
import { element } from "./view.js";

function decoded(text) {
  return Uint8Array.from(atob(text), character => character.charCodeAt(0));
}

// In a page without a kernel: the data stand in the page, the state in its address.
export function mountStatic(name) {
  const root = document.querySelector(`.contrast-explorer[id="${name}"]`);  // a heading may have the same name
  const { header, chunks } = JSON.parse(document.querySelector(`script[data-explorer="${name}"]`).textContent);
  const explorer = new Explorer(root, {
    header: () => header, bytes: chunk => decoded(chunks[chunk]), live: false,
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
  return explorer.draw().catch(error => {
    root.append(element("p", { role: "alert" }, `The explorer cannot run in this browser: ${error.message}`));
    throw error;
  });
}

// As a widget in a notebook: data and state are the traits of the Python object.
export function render({ model, el }) {
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
  el.append(explorer.view);
  model.on("change:state change:header", () => {  // both come together when Python adds a picture
    explorer.header = model.get("header");
    if (JSON.stringify(model.get("state")) !== told) explorer.change(model.get("state"));
  });
  explorer.draw();
}
