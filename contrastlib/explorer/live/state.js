// What the reader has chosen: its validation, and its text in the address of the page. The picture is not part of it.

import { CONTRASTS } from "./contrasts.js";

export const SURER = 100; // steps of the slider that multiplies the logits

const among = (value, choices, other) => (choices.includes(value) ? value : other);
const between = (value, low, high, other) => (Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : other);

// The contrasts for so many targets, of those that contrasts.js computes.
export const contrastsFor = (header, targets) =>
  Object.keys(header.contrasts).filter(name => name in CONTRASTS && header.contrasts[name].group === targets.length > 1);

// A valid state close to the requested one. Classes are given by their index.
export function validState(requested, header) {
  const count = header.network.classes.length;
  const classes = list => [...new Set(list ?? [])].filter(s => Number.isInteger(s) && s >= 0 && s < count);
  const targets = classes(requested.targets);
  if (!targets.length || targets.length === count) targets.splice(0, count, header.state.targets[0]);
  const foils = targets.length > 1 ? [] : classes(requested.foils).filter(s => !targets.includes(s));
  const possible = contrastsFor(header, targets).filter(name => foils.length || !header.contrasts[name].foils);
  const usual = targets.length > 1 ? "group" : foils.length ? "among" : header.default_contrast;
  return {
    targets, foils,
    contrast: among(requested.contrast, possible, usual),
    method: among(requested.method, Object.keys(header.methods), Object.keys(header.methods)[0]),
    opacity: between(requested.opacity, 0, 100, 60),
    surer: between(requested.surer, 0, SURER, 0),
  };
}

// "#live?explain=282&against=285&contrast=among&…", which begins with the name of the page's element
export function address(name, state) {
  const fields = new URLSearchParams({ explain: state.targets.join(","), contrast: state.contrast, method: state.method,
    opacity: state.opacity, surer: state.surer });
  if (state.foils.length) fields.set("against", state.foils.join(","));
  return `#${name}?${fields.toString().replaceAll("%2C", ",")}`;
}

// The state in an address, or null when the address is not this page's.
export function fromAddress(name, hash) {
  const [owner, query] = hash.slice(1).split("?");
  if (owner !== name || !query) return null;
  const fields = new URLSearchParams(query);
  const list = key => (fields.get(key) ?? "").split(",").filter(Boolean).map(Number);
  const number = key => (fields.has(key) ? Number(fields.get(key)) : NaN);
  return { targets: list("explain"), foils: list("against"), contrast: fields.get("contrast"), method: fields.get("method"),
    opacity: number("opacity"), surer: number("surer") };
}
