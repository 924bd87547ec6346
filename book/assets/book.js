// Tables get a box of their own to scroll in, reachable with the keyboard.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll(".bd-article table")) {
    if (table.closest(".table-scroll, .highlighttable")) continue;
    const box = document.createElement("div");
    box.className = "table-scroll";
    table.replaceWith(box);
    box.append(table);
  }
  const scrollable = ".table-scroll, .cell_output > .output, div.math";
  const mark = () => {
    for (const box of document.querySelectorAll(scrollable)) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  window.addEventListener("resize", mark);
  window.addEventListener("load", () => window.MathJax?.startup?.promise.then(mark) ?? mark());
});
