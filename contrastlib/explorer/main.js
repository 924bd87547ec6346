// Entry points: a page without a kernel, and a widget in a notebook.

import { Explorer } from "./explorer.js";
import { address, fromAddress } from "./state.js";
import { showError } from "./view.js";

function decoded(text) {
  return Uint8Array.from(atob(text), character => character.charCodeAt(0));
}

// In a page without a kernel, the page holds the data and its address holds the state.
export async function mountStatic(name, script) {
  const root = nearest(`.contrast-explorer[id="${name}"]`, script);  // a heading may have the same id
  try {
    const { header, chunks } = JSON.parse(nearest(`script[data-explorer="${name}"]`, script).textContent);
    await show(root, name, header, chunk => decoded(chunks[chunk]));
  } catch (error) {
    showError(root, error);
    throw error;
  }
}

// The last matching element before the running script, because a page may hold several explorers of one name. If there
// is none, the first matching element, because some notebooks run scripts in another part of the page.
function nearest(selector, script) {
  const all = [...document.querySelectorAll(selector)];
  return all.findLast(each => script?.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_PRECEDING) ?? all[0];
}

function show(root, name, header, bytes) {
  const explorer = new Explorer(root, {
    header: () => header, bytes, live: false,
    state: fromAddress(name, location.hash) ?? header.state,
    changed: state => {
      try {
        history.replaceState(null, "", address(name, state));
      } catch {}  // the browser forbids it: in some frames, and after many changes in a short time
    },
  });
  explorer.ready = () => {  // the static image is shown until the maps are drawn
    explorer.ready = null;
    root.replaceChildren(explorer.view);
    root.dataset.ready = "";
    if (fromAddress(name, location.hash)) root.scrollIntoView();
  };
  addEventListener("hashchange", () => {
    const requested = fromAddress(name, location.hash);
    if (requested) explorer.change(requested);
  });
  return explorer.draw();
}

// As a widget, data and state are traits of the Python object. Returns the function that closes the widget.
export function render({ model, el }) {
  try {
    return connect(model, el);
  } catch (error) {
    showError(el, error);
    throw error;
  }
}

function connect(model, el) {
  const bytes = chunk => {
    const view = model.get("chunks")[chunk];
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  };
  let sent = null, waiting;
  const explorer = new Explorer(el, {
    header: () => model.get("header"), bytes, live: true, state: model.get("state"),
    changed: state => {
      sent = JSON.stringify(state);
      model.set("state", state);
      model.save_changes();
    },
    evaluate: state => {  // not for each step of a slider that moves
      clearTimeout(waiting);
      waiting = setTimeout(() => model.send({ evaluate: state }), 250);
    },
  });
  const answered = ({ evaluated, logs }) => evaluated && explorer.evaluated(evaluated, logs);
  const changed = () => {  // header and state change together when Python adds a picture
    explorer.header = model.get("header");
    if (JSON.stringify(model.get("state")) !== sent) explorer.change(model.get("state"));
  };
  el.append(explorer.view);
  model.on("change:state change:header", changed);
  model.on("msg:custom", answered);
  explorer.draw();
  return () => {
    clearTimeout(waiting);
    model.off("change:state change:header", changed);
    model.off("msg:custom", answered);
  };
}
