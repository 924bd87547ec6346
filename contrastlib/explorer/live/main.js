// Entry point of a page with the live network. Its element names the folder of the network, and a script element its data.

import { element } from "../elements.js";
import { Live } from "./live.js";
import { address, fromAddress } from "./state.js";

async function mount(root) {
  try {
    const header = JSON.parse(root.querySelector("script[type='application/json']").textContent);
    const live = new Live(root, header, new URL(root.dataset.base, location.href), {
      state: fromAddress(root.id, location.hash) ?? header.state,
      changed: state => {
        try {
          history.replaceState(null, "", address(root.id, state));
        } catch {}  // the browser forbids it: in some frames, and after many changes in a short time
      },
      link: state => location.href.split("#")[0] + address(root.id, state),
    });
    root.live = live; // for scripts of the page
    await live.start();
    root.replaceChildren(live.view);
    root.dataset.ready = "";
    if (fromAddress(root.id, location.hash)) root.scrollIntoView();
    addEventListener("hashchange", () => {
      const requested = fromAddress(root.id, location.hash);
      if (requested) live.change(requested);
    });
  } catch (error) {
    root.append(element("p", { role: "alert" }, `The page cannot run here: ${error.message}`));
    throw error;
  }
}

document.querySelectorAll(".contrast-live").forEach(mount);
