document.addEventListener("DOMContentLoaded", () => {
  // Formulas and outputs that scroll can be reached with the keyboard; tables.js does the same for tables.
  const mark = () => {
    for (const box of document.querySelectorAll(".cell_output > .output, div.math")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  window.addEventListener("resize", mark);
  window.addEventListener("load", () => window.MathJax?.startup?.promise.then(mark) ?? mark());

  // What is folded opens for the address that names a part of it, and all of it for print.
  const openNamed = () => {
    const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const closed = [...document.querySelectorAll("details.fold:not([open])")].filter(each => each.contains(named));
    closed.forEach(each => { each.open = true; });
    if (closed.length) named.scrollIntoView();
  };
  openNamed();
  window.addEventListener("hashchange", openNamed);
  window.addEventListener("beforeprint", () => document.querySelectorAll("details.fold").forEach(each => { each.open = true; }));

  // The list of contents on the right makes room for what takes the full width, while that is on the screen.
  const contents = document.querySelector(".bd-sidebar-secondary"), seen = new Set();
  const watcher = new IntersectionObserver(entries => {
    entries.forEach(({ target, isIntersecting }) => seen[isIntersecting ? "add" : "delete"](target));
    contents.classList.toggle("beneath", [...seen].some(each => each.classList.contains("full-width")));
  });
  window.addEventListener("load", () => {
    if (contents) document.querySelectorAll(".table-frame, .figure-frame").forEach(each => watcher.observe(each));
  });

  // Slips of the theme that screen readers stumble over: names that hide the text of what they name, a list whose
  // children are no list items, and a chevron in the sidebar without a name.
  document.querySelectorAll(".search-button-field, .theme-switch-button, summary[aria-label]").forEach(
    named => named.removeAttribute("aria-label"));
  for (const button of document.querySelectorAll(".theme-switch-button")) {
    const name = document.createElement("span");  // its icons say which mode, not of what
    name.className = "visually-hidden";
    name.textContent = "Colour mode:";
    button.prepend(name);
  }
  document.querySelectorAll("summary:has(> .toctree-toggle)").forEach(
    toggle => toggle.setAttribute("aria-label", `Pages of ${toggle.closest("li").querySelector("a").textContent}`));
  document.querySelectorAll(".citation-list").forEach(list => list.removeAttribute("role"));
});
