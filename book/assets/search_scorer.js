// What the search ranks highest: the page or section whose name is what was asked for, before functions of that name.
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  score: ([page, title, , , score]) => {
    const asked = new URLSearchParams(location.search).get("q")?.trim().toLowerCase();
    const named = title.split(" > ").pop().toLowerCase() === asked;
    return score + (named ? 100 : 0) - (page.startsWith("book/reference") ? 1 : 0);
  },
};
