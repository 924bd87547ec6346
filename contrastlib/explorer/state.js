// The state, which holds the reader's choices: its validation, and its text in the address of the page.

import { INTERACTIVE, sum } from "./arithmetic.js";
import { FILL, SIGNS } from "./masking.js";

const DEFAULTS = { picture: 0, other: null, opacity: 0.6, shared: false, keep: "all", fill: "blur", difference: false };
export const KEEP = ["all", ...SIGNS];

const among = (value, choices) => (choices.includes(value) ? value : choices[0]);
const between = (value, low, high) => Math.min(high, Math.max(low, value));

// A valid state close to the requested one. Missing and invalid fields take their defaults.
export function validState(requested, header) {
  const state = { ...DEFAULTS, ...requested };
  const last = header.pictures.length - 1;
  const picture = between(Math.trunc(Number(state.picture)) || 0, 0, last);
  const other = Number.isInteger(state.other) && state.other >= 0 && state.other <= last && state.other !== picture
    ? state.other : null;
  const panes = [picture, other ?? picture].map((index, i) =>
    validPane(requested.panes?.[i] ?? {}, header.pictures[index].views, header.default_contrast));
  const opacity = Number.isFinite(state.opacity) ? between(state.opacity, 0, 1) : DEFAULTS.opacity;
  return { picture, other, panes, opacity, shared: Boolean(state.shared), keep: among(state.keep, KEEP),
    fill: among(state.fill, FILL), difference: Boolean(state.difference) && other === null };
}

// The pictures of the two maps: that of map B may be another one.
export const picturesOf = state => [state.picture, state.other ?? state.picture];

function validPane(requested, views, defaultContrast) {
  const network = among(requested.network, Object.keys(views));
  const view = views[network];
  const method = among(requested.method, view.maps.map(map => map.method));
  const maps = view.maps.filter(map => map.method === method);
  const layer = among(requested.layer, maps.map(map => map.layer));
  const { kind } = maps.find(map => map.layer === layer);
  const rank = between(Math.trunc(Number(requested.rank)) || 0, 0, view.classes.length - 1);
  const weights = validWeights(requested.weights, rank, view);
  const possible = contrastsOf(kind, view).filter(name => name !== "own" || weights);
  const contrast = possible.includes(requested.contrast) ? requested.contrast : defaultContrast;
  const offered = requested.contrast === contrast || requested.contrast !== "among";  // foils of a contrast that is not go
  const foils = [...new Set((offered && requested.foils) || [])].filter(foil => foil !== rank
    && (view.classes[foil] || (foil === view.classes.length && view.rest)));
  if (contrast === "among" && !foils.length) foils.push(rank === 0 ? 1 : 0);
  return { network, method, layer, rank, contrast, foils, weights: contrast === "own" ? weights : null };
}

// A pane for another view: its class and its foils stay the same where the other view has them too.
export function carried(pane, from, to) {
  const rankOf = rank => {
    if (rank === from.classes.length) return to.rest ? to.classes.length : -1;
    return to.classes.findIndex(each => each.index === from.classes[rank].index);
  };
  const foils = pane.foils.map(rankOf).filter(rank => rank >= 0);
  return { ...pane, rank: Math.max(0, rankOf(pane.rank)), foils: pane.contrast === "among" ? foils : [], weights: null };
}

// The contrasts that a method offers. The maps of methods that are not linear are stored, so the reader cannot set weights.
export const contrastsOf = (kind, view) => [...Object.keys(view.weights), ...(kind === "table" ? [] : INTERACTIVE)];

function validWeights(weights, rank, view) {
  if (weights?.length !== view.classes.length + 1) return null;
  const positive = weights.map((weight, i) => (weight > 0 && i !== rank && (view.classes[i] || view.rest) ? weight : 0));
  const total = sum(positive);
  return total && Number.isFinite(total) ? positive.map(weight => weight / total) : null;
}

// The fields of a pane are joined by commas. A comma in a name is written as %2C.
const escaped = field => String(field).replace(/[%,]/g, sign => encodeURIComponent(sign));
const unescaped = text => text.replace(/%25|%2C/g, sign => decodeURIComponent(sign));

// "#name?picture=3&a=birds_vgg,gradcam,network.features.20,0,weighted&…", with "picture=3,5" for two pictures
export function address(name, state) {
  const fields = new URLSearchParams({ picture: [state.picture, ...(state.other === null ? [] : [state.other])].join() });
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
  const [owner, query] = hash.slice(1).split("?");  // the address may belong to something else, and is not decoded then
  if (owner !== name || !query) return null;
  const fields = new URLSearchParams(query);
  const [keep, fill] = (fields.get("keep") ?? "all").split(",");
  const [picture, other] = (fields.get("picture") ?? "0").split(",");
  return { picture: Number(picture), other: other ? Number(other) : null, keep, fill, shared: fields.has("shared"),
    difference: fields.has("difference"), opacity: Number(fields.get("opacity") ?? 60) / 100,
    panes: ["a", "b"].map(key => paneFrom(fields.get(key) ?? "")) };
}

function paneFrom(text) {
  const [network, method, layer, rank, contrast, ...extra] = text.split(",").map(unescaped);
  const numbers = extra.map(Number);
  return { network, method, layer, rank: Number(rank), contrast,
    foils: contrast === "among" ? numbers : [], weights: contrast === "own" ? numbers : null };
}
