// Tables. A wide one takes the full width of the page and scrolls in a box of its own, in which its headings stay and
// a shadow says on which side there is more. Of a long one the first rows of each group are shown, and a button shows
// the others. Where the screen is too narrow, each row becomes a card.
const PRINTED = 620;  // pixels of text on a sheet of A4
const ROOM = { table: { long: 16, shown: 12 }, cards: { long: 6, shown: 4 } };  // rows
const narrow = window.matchMedia("(max-width: 600px)");
const text = cell => cell.textContent.replace(/\s+/g, " ").trim();

/** The cells of each row, a cell that spans several columns or rows in each of them. */
function grid(rows) {
  const found = [...rows].map(() => []);
  [...rows].forEach((row, y) => {
    let x = 0;
    for (const cell of row.cells) {
      while (found[y][x]) x += 1;
      for (let j = y; j < Math.min(y + cell.rowSpan, found.length); j += 1) {
        for (let i = x; i < x + cell.colSpan; i += 1) found[j][i] = cell;
      }
    }
  });
  return found;
}

/** A table, its box and its rows; `frozen` columns on the left name the rows. */
function read(table) {
  const body = [...table.tBodies].flatMap(each => [...each.rows]);
  const cells = grid(body), head = grid(table.tHead?.rows ?? []);
  const frozen = Math.max(1, cells[0]?.findIndex(cell => cell.tagName !== "TH") ?? 1);
  return { table, body, cells, head, frozen, box: table.parentElement, frame: table.parentElement.parentElement };
}

function boxed(table) {
  const frame = document.createElement("div"), box = document.createElement("div");
  frame.className = "table-frame";
  box.className = "table-scroll";
  table.replaceWith(frame);
  frame.append(box);
  box.append(table);
  return read(table);
}

/** Rows that a long table shows before its button is pressed: as many of each group as there is room for. */
function headlines({ body, cells, frozen }, shown) {
  const first = frozen > 1 ? cells.map(row => row[0]) : body.map(() => null);
  const groups = new Set(first).size, grouped = groups <= shown / 2, seen = new Map();
  return new Set(body.filter((row, y) => {
    const key = grouped ? first[y] : null;
    seen.set(key, (seen.get(key) ?? 0) + 1);
    return seen.get(key) <= (grouped ? Math.floor(shown / groups) : shown);
  }));
}

/** Show these rows and no others. A cell spans as many rows as are shown of its own. */
function show(record, rows) {
  const { table, body } = record;
  body.forEach(row => row.classList.toggle("folded", !rows.has(row)));
  record.spans ??= [...table.querySelectorAll("tbody [rowspan]")].map(cell => [cell, cell.rowSpan]);
  for (const [cell, span] of record.spans) {
    const start = body.indexOf(cell.parentElement);
    cell.rowSpan = Math.max(1, body.slice(start, start + span).filter(row => rows.has(row)).length);
  }
}

/** Fold a long table: its headlines are shown, and a button shows the others. */
function fold(record) {
  const { body, frame } = record;
  const { long, shown } = ROOM[frame.classList.contains("cards") ? "cards" : "table"];
  const first = body.length > long ? headlines(record, shown) : new Set(body), folded = !record.opened;
  if (folded) show(record, first);
  if (!record.button) {
    record.button = document.createElement("button");
    record.button.type = "button";
    record.button.className = "table-fold";
    record.button.addEventListener("click", () => { record.opened = !record.opened; fit(record); });
    frame.append(record.button);
  }
  record.button.hidden = first.size === body.length;
  frame.classList.toggle("opened", !folded && !record.button.hidden);
  record.button.setAttribute("aria-expanded", !folded);
  record.button.textContent = folded ? `Show all ${body.length} rows` : `Show ${first.size} of ${body.length} rows`;
}

/** Open a table that hides what the address names. */
function openNamed(record) {
  if (!document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest("tr.folded")) return;
  record.opened = true;
  fit(record);
}

/** What a cell of a card is, before its value: the headings of its column, or the name of the index. */
function labelled({ head, cells, frozen }) {
  for (const row of cells) {
    row.forEach((cell, x) => {
      if (cell.querySelector(":scope > .card-label") || (x === 0 && cell.tagName === "TD")) return;
      const names = head.map(each => each[x]).filter(name => name && text(name));
      const label = document.createElement("span");
      label.className = "card-label";
      (x < frozen && cell.tagName === "TH" ? names.slice(-1) : [...new Set(names)]).forEach((name, i) => {
        if (i) label.append(" · ");
        label.append(...[...name.cloneNode(true).childNodes].filter(node => !node.classList?.contains("headerlink")));
      });
      cell.prepend(label);
    });
  }
}

/** Row headings that span several rows stand above each of their cards. */
function titled({ body, cells, frozen }) {
  body.forEach((row, y) => {
    const above = cells[y].slice(0, frozen).filter(cell => cell.tagName === "TH" && cell.parentElement !== row);
    row.dataset.above = above.map(text).join(" · ");
  });
}

/** Choose between table, wide table and cards, fold it, and put the headings of rows where they stay. */
function fit(record) {
  const { table, box, frame, cells, frozen } = record;
  frame.classList.remove("cards", "full-width", "wide", "fits");
  show(record, new Set(record.body));  // a table is as wide as its widest row
  const over = () => table.getBoundingClientRect().width > box.clientWidth + 0.5;
  if (over() && narrow.matches) {
    if (!record.titled) titled(record), labelled(record), record.titled = true;
    frame.classList.add("cards");
  } else if (over()) {
    frame.classList.add("full-width", "wide");
  } else {
    frame.classList.add("fits");
  }
  fold(record);
  let left = 0;
  const half = box.clientWidth / 2, edges = [];
  for (let x = 0; x < frozen && x < (cells[0]?.length ?? 0); x += 1) {
    edges.push(left);
    left += cells[0][x].offsetWidth;
    if (left > half) break;
  }
  for (const row of [...record.head, ...cells]) {
    row.slice(0, frozen).forEach((cell, x) => {
      const stays = x < edges.length && cell.colSpan === 1 && (x === 0 || left <= half || x < edges.length - 1);
      cell.classList.toggle("stays", stays);
      cell.style.left = stays ? `${edges[x]}px` : "";
    });
  }
  table.style.setProperty("--print-zoom", Math.min(1, PRINTED / table.scrollWidth));
  cue(record);
}

/** Say on which sides there is more, and let the keyboard reach a box that scrolls. */
function cue({ box, frame }) {
  const more = box.scrollWidth - box.clientWidth;
  frame.classList.toggle("more-left", box.scrollLeft > 1);
  frame.classList.toggle("more-right", box.scrollLeft < more - 1);
  if (more > 1 || box.scrollHeight > box.clientHeight + 1) box.tabIndex = 0;
  else box.removeAttribute("tabindex");
}

document.addEventListener("DOMContentLoaded", () => {
  const records = [...document.querySelectorAll(".bd-article table:not(.genindextable)")].map(boxed);
  const every = () => records.forEach(fit);
  every();
  records.forEach(record => record.box.addEventListener("scroll", () => cue(record), { passive: true }));
  window.addEventListener("resize", every);
  window.addEventListener("hashchange", () => records.forEach(openNamed));
  window.addEventListener("beforeprint", () => records.forEach(record => { record.opened = true; fit(record); }));
  document.addEventListener("toggle", ({ target }) => {  // a table in a fold has a size once it is open
    records.filter(({ frame }) => target.contains(frame)).forEach(fit);
  }, true);
  window.addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(() => {
    every();
    records.forEach(openNamed);
  }));
});
