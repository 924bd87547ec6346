// Figures: one that is wider than the text takes the full width of the page, and each can be enlarged.
document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.setAttribute("aria-label", "Enlarged figure");
  dialog.addEventListener("click", () => dialog.close());
  document.body.append(dialog);

  const images = document.querySelectorAll(
    ".bd-article :is(figure, .cell_output) img:not(.contrast-explorer img, a img, .sd-card img)");
  for (const image of images) {
    const button = document.createElement("button"), frame = document.createElement("div");
    button.type = "button";
    button.className = "enlarge";
    button.title = "Enlarge";
    frame.className = "figure-frame";
    image.replaceWith(frame);
    frame.append(button);
    button.append(image);
    button.addEventListener("click", () => {
      const copy = image.cloneNode();
      copy.removeAttribute("style");
      const close = document.createElement("button");
      close.type = "button";
      close.textContent = "Close";
      dialog.replaceChildren(close, copy);
      dialog.showModal();
    });
    const shown = () => parseFloat(image.style.width) || image.naturalWidth;  // a dense picture has a style
    const fit = () => {
      frame.classList.remove("full-width");
      frame.classList.toggle("full-width", shown() > frame.clientWidth + 1);
    };
    if (image.complete) fit();
    image.addEventListener("load", fit);
    window.addEventListener("resize", fit);
    document.addEventListener("toggle", fit, true);  // a figure in a fold has room once it is open
  }
});
