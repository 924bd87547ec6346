// What the reader has chosen: made complete and possible, and written in the page's address.

import { INTERACTIVE, sum } from "./arithmetic.js";

const DEFAULTS = { picture: 0, opacity: 0.6, shared: false, keep: "all", fill: "blur", difference: false };
export const KEEP = ["all", "positive", "negative"];
export const FILL = ["blur", "zero", "mean"];

const among = (value, choices) => (choices.includes(value) ? value : choices[0]);
const between = (value, low, high) => Math.min(high, Math.max(low, value));

// The nearest state that the data can show; what is missing takes its default.
export function settled(wish, header) {
  const state = { ...DEFAULTS, ...wish };
  const picture = between(Math.trunc(Number(state.picture)) || 0, 0, header.pictures.length - 1);
  const panes = [0, 1].map(i => settledPane(wish.panes?.[i] ?? {}, header.pictures[picture].views, header.default_contrast));
  const opacity = Number.isFinite(state.opacity) ? between(state.opacity, 0, 1) : DEFAULTS.opacity;
  return { picture, panes, opacity, shared: Boolean(state.shared), keep: among(state.keep, KEEP),
    fill: among(state.fill, FILL), difference: Boolean(state.difference) };
}

function settledPane(wish, views, defaultContrast) {
  const network = among(wish.network, Object.keys(views));
  const view = views[network];
  const method = among(wish.method, view.maps.map(map => map.method));
  const maps = view.maps.filter(map => map.method === method);
  const layer = among(wish.layer, maps.map(map => map.layer));
  const { kind } = maps.find(map => map.layer === layer);
  const rank = between(Math.trunc(Number(wish.rank)) || 0, 0, view.classes.length - 1);
  const foils = [...new Set(wish.foils ?? [])].filter(foil => foil !== rank
    && (view.classes[foil] || (foil === view.classes.length && view.rest)));
  const weights = settledWeights(wish.weights, rank, view);
  const possible = contrastsOf(kind, view).filter(name => name !== "own" || weights);
  const contrast = possible.includes(wish.contrast) ? wish.contrast : defaultContrast;
  if (contrast === "among" && !foils.length) foils.push(rank === 0 ? 1 : 0);
  return { network, method, layer, rank, contrast, foils, weights: contrast === "own" ? weights : null };
}

// Maps that are no weighted sum over classes are stored, and know no weights that the reader sets.
export const contrastsOf = (kind, view) => [...Object.keys(view.weights), ...(kind === "table" ? [] : INTERACTIVE)];

function settledWeights(weights, rank, view) {
  if (weights?.length !== view.classes.length + 1) return null;
  const positive = weights.map((weight, i) => (weight > 0 && i !== rank && (view.classes[i] || view.rest) ? weight : 0));
  const total = sum(positive);
  return total ? positive.map(weight => weight / total) : null;
}

// Fields of a pane are joined with commas: those within a name are written %2C, and decoded after the parts are known.
const escaped = field => String(field).replace(/[%,]/g, sign => encodeURIComponent(sign));
const unescaped = text => text.replace(/%25|%2C/g, sign => decodeURIComponent(sign));

// "#name?picture=3&a=birds_vgg,gradcam,network.features.20,0,weighted&…"
export function address(name, state) {
  const fields = new URLSearchParams({ picture: state.picture });
  state.panes.forEach((pane, i) => {
    const extra = { among: pane.foils, own: pane.weights?.map(weight => Number(weight.toFixed(4))) }[pane.contrast] ?? [];
    fields.set("ab"[i], [pane.network, pane.method, pane.layer, pane.rank, pane.contrast, ...extra].map(escaped).join(","));
  });
  fields.set("opacity", Math.round(100 * state.opacity));
  for (const [key, value] of [["shared", state.shared], ["difference", state.difference]]) if (value) fields.set(key, 1);
  if (state.keep !== "all") fields.set("keep", `${state.keep},${state.fill}`);
  return `#${name}?${fields.toString().replaceAll("%2C", ",")}`;
}

// The state in an address, or null when the address is not this explorer's.
export function fromAddress(name, hash) {
  const [owner, query] = hash.slice(1).split("?");  // anything may stand there: only what is ours is decoded
  if (owner !== name || !query) return null;
  const fields = new URLSearchParams(query);
  const [keep, fill] = (fields.get("keep") ?? "all").split(",");
  return { picture: Number(fields.get("picture")), keep, fill, shared: fields.has("shared"),
    difference: fields.has("difference"), opacity: Number(fields.get("opacity") ?? 60) / 100,
    panes: ["a", "b"].map(key => paneFrom(fields.get(key) ?? "")) };
}

function paneFrom(text) {
  const [network, method, layer, rank, contrast, ...extra] = text.split(",").map(unescaped);
  const numbers = extra.map(Number);
  return { network, method, layer, rank: Number(rank), contrast,
    foils: contrast === "among" ? numbers : [], weights: contrast === "own" ? numbers : null };
}
