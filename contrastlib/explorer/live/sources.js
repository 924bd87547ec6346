// Where the picture comes from: a file, the camera of a phone, the clipboard, or a drop on the page.

import { element } from "../elements.js";
import { button } from "./dom.js";
import { pictureIn } from "./picture.js";

// first: title of the first picture; given(file), back()
export function sources(root, first, given, back) {
  const input = attributes => {
    const control = element("input", { type: "file", accept: "image/*", hidden: true, ...attributes,
      onchange: () => { if (control.files[0]) given(control.files[0]); control.value = ""; } });
    return control;
  };
  const file = input({ name: "file" }), camera = input({ name: "camera", capture: "environment" });
  addEventListener("paste", event => {
    const picture = pictureIn(event.clipboardData);
    if (picture) given(picture);
  });
  root.addEventListener("dragover", event => { event.preventDefault(); root.classList.add("live-over"); });
  root.addEventListener("dragleave", () => root.classList.remove("live-over"));
  root.addEventListener("drop", event => {
    event.preventDefault();
    root.classList.remove("live-over");
    const picture = pictureIn(event.dataTransfer);
    if (picture) given(picture);
  });
  return element("div", { class: "live-sources" }, file, camera, button("Choose a picture", () => file.click()),
    button("Take a photograph", () => camera.click()), button(`Back to: ${first}`, back),
    element("p", { class: "live-note" }, "Or drop a picture here, or paste one. Your picture never leaves this page: nothing is sent anywhere. A WebP that a camera has marked as turned may stay on its side."));
}
