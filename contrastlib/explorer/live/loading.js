// The button that loads the network, its progress, and how to stop it.

import { element } from "../elements.js";
import { button } from "./dom.js";

const megabytes = bytes => `${Math.round(bytes / 1e6)} MB`;

// loaded() is called once the network is ready.
export function loading(network, loaded) {
  const start = button(`Load the network, ${megabytes(network.about.bytes)}`, load, { class: "live-load" });
  const stop = button("Abort", () => network.abort(), { hidden: true });
  const bar = element("progress", { max: 1, value: 0, hidden: true, "aria-label": "Loading the network" });
  const status = element("span", { class: "live-status", role: "status", tabindex: -1 });
  const node = element("div", { class: "live-loading" }, start, bar, stop, status);

  const say = text => { status.textContent = text; };
  const failed = error => {
    start.hidden = false;
    say(error ? error.message : "Loading was stopped.");
  };

  // A hidden button would lose the focus.
  function passFocus(from, to) {
    if (document.activeElement === from) to.focus();
  }

  async function load() {
    if (network.ready || network.loading) return;
    bar.hidden = stop.hidden = false;
    passFocus(start, stop);
    start.hidden = true;
    bar.value = 0;
    say("");
    try {
      await network.load(share => {
        bar.value = share;
        if (share === 1) say("Starting …");
      }, failed);
      say("The network runs in this page.");
    } catch (error) {
      failed(error);
    }
    passFocus(stop, start.hidden ? status : start);
    bar.hidden = stop.hidden = true;
    if (network.ready) await loaded();
  }

  return { node, say, load };
}
