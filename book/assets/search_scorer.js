// What the search ranks highest: the page, section or term whose name is what was asked for. The reference comes last,
// unless the question is one about code. Sphinx reads this file after searchtools.js, which defines Search.
var Scorer = (() => {
  const asked = new URLSearchParams(location.search).get("q") ?? "";
  const aboutCode = /contrastlib|\.|\(\)/.test(asked);
  // Names are alike without case, spaces, hyphens, underscores, commas and multiplication signs, and in the plural.
  const plain = name => name.toLowerCase().replace(/[\s_-]+/g, " ").replace(/ x |[×*]/g, "").replace(/[ ,]/g, "").replace(/s$/, "");
  // A name is asked for as a whole, by what it begins with, or by what it has between commas or in parentheses:
  // "Files (PDF, zip)" is also "PDF". The points are for that, 0 for another name.
  const points = name => {
    const found = [name, ...name.split(/[(),]/)].findIndex(each => plain(each) && plain(each) === plain(asked));
    return found < 0 ? 0 : [100, 95][found] ?? 90;
  };

  // Sphinx compares names letter by letter: these are the results that it would miss.
  const alike = () => {
    const { alltitles, docnames, filenames, objects, titles } = Search._index;
    const sections = Object.entries(alltitles).filter(([title]) => points(title)).flatMap(
      ([title, places]) => places.map(([file, id]) => [
        docnames[file], titles[file] === title ? title : `${titles[file]} > ${title}`, id === null ? "" : `#${id}`,
        null, Scorer.title, filenames[file]]));
    const names = new Set(Object.values(objects).flat().map(each => each.at(-1)).filter(points));
    const terms = [...names].flatMap(name => Search.performObjectSearch(
      name.toLowerCase(), new Set([name.toLowerCase()])).filter(([, title]) => title === name));
    return [...sections, ...terms];
  };
  const performTermsSearch = Search.performTermsSearch;
  Search.performTermsSearch = (...words) => [...performTermsSearch(...words), ...alike()];

  return {
    objNameMatch: 11,
    objPartialMatch: 6,
    objPrio: { 0: 15, 1: 5, 2: -5 },
    objPrioDefault: 0,
    title: 15,
    partialTitle: 7,
    term: 5,
    partialTerm: 2,
    score: ([page, title, place, , score]) => score
      + points(title.split(" > ").pop()) + (!place && points(title) ? 10 : 0)
      - (page.startsWith("book/reference") && !aboutCode ? 50 : 0),
  };
})();
