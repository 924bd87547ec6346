// The page of corrections: rows are filtered by paper and status, and sorted. The row that the address names is opened.
document.addEventListener("DOMContentLoaded", () => {
  const list = document.querySelector("div.corrections");
  if (!list) return;
  const rows = [...list.querySelectorAll("details.correction")];
  const of = (row, kind) => [...row.classList].find(name => name.startsWith(`${kind}-`)).slice(kind.length + 1);
  const number = row => Number(row.id.split("-").pop());
  const shown = { paper: {}, status: {} };  // values in the order of their first row, with the words of a reader
  for (const row of rows) {
    shown.paper[of(row, "paper")] ??= row.querySelector("summary .where").textContent.split(",")[0];
    shown.status[of(row, "status")] ??= row.querySelector("summary .status").textContent;
  }

  const form = document.createElement("form");
  form.className = "corrections-controls";
  const choice = (name, words, options) => {
    const label = document.createElement("label"), select = document.createElement("select");
    select.name = name;
    for (const [value, text] of options) select.add(new Option(text, value));
    label.append(words, select);
    form.append(label);
    return select;
  };
  const paper = choice("paper", "Paper ", [["", "all"], ...Object.entries(shown.paper)]);
  const status = choice("status", "Status ", [["", "all"], ...Object.entries(shown.status)]);
  const order = choice("order", "Sorted by ", [["number", "number"], ["paper", "paper"], ["status", "status"]]);
  const count = document.createElement("output");
  form.append(count);
  list.before(form);

  const update = () => {
    for (const row of rows) {
      row.hidden = (paper.value && of(row, "paper") !== paper.value) || (status.value && of(row, "status") !== status.value);
    }
    const place = order.value === "number" ? () => 0 : row => Object.keys(shown[order.value]).indexOf(of(row, order.value));
    list.append(...rows.toSorted((a, b) => place(a) - place(b) || number(a) - number(b)));
    count.textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length}`;
  };
  const openNamed = () => {
    const row = rows.find(each => `#${each.id}` === location.hash);
    if (!row) return;
    if (row.hidden) form.reset();
    update();
    row.open = true;
    row.scrollIntoView();
  };
  form.addEventListener("change", update);
  form.addEventListener("submit", event => event.preventDefault());
  window.addEventListener("hashchange", openNamed);
  window.addEventListener("beforeprint", () => rows.forEach(row => { row.open = true; }));
  update();
  openNamed();
  window.addEventListener("load", openNamed);  // what stands above may have grown
});
