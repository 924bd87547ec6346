// The explorer: it draws the maps that its state selects from its data.

import { largest, mapOf, ownShares, shares, upsampled, withShare } from "./arithmetic.js";
import { pane } from "./controls.js";
import { Data } from "./data.js";
import { composed, kept, overlaid, paint } from "./drawing.js";
import { element, percent } from "./elements.js";
import { cosine, recordedLogs } from "./masking.js";
import { pixelAt, placeCross, trackPointer } from "./pointer.js";
import { snippet } from "./snippets.js";
import { address, carried, picturesOf, validState } from "./state.js";
import { tabs } from "./tabs.js";
import { pictureChoice, showError, tools, tour } from "./view.js";
import { described, effectRows, question } from "./words.js";

const TITLES = ["A", "B"];
const NOT_RECORDED = "The probabilities are recorded for the two most probable classes, each contrast, and one rival of the "
  + "three most probable; not for this map. The lines of Python below compute them.";

// host: header(), bytes(chunk) -> Uint8Array, state (the requested initial state), changed(state), live,
// evaluate(state) where a kernel can compute what masking does
export class Explorer {
  constructor(root, host) {
    Object.assign(this, { root, host, data: new Data(host.bytes), position: null, turn: 0 });
    this.header = host.header();
    this.state = validState(host.state, this.header);
    this.steps = (this.header.tour ?? []).map(step => ({ ...step, state: validState(step.state, this.header) }));
    this.build();
  }

  build() {
    const { name } = this.header;
    this.pictures = pictureChoice(name, picture => this.change({ picture }));
    this.tour = tour(this.steps.map(({ title, text, state }) => ({ title, text, address: address(name, state) })),
      i => this.change(this.steps[i].state));
    this.panes = TITLES.map((title, i) => pane(title, this.actions(i)));
    this.caption = element("p", { class: "cx-caption", "aria-live": "polite" });
    this.tools = tools(requested => this.change(requested), () => this.unfold(!("open" in this.view.dataset)));
    this.readout = element("output", { class: "cx-readout", "aria-live": "polite" });
    this.differenceCanvas = element("canvas", { tabindex: 0, role: "img", "aria-label": "Difference of the two maps" });
    this.differenceNote = element("p", { class: "cx-about" });
    this.difference = element("section", { class: "cx-pane cx-difference", "aria-label": "Difference", hidden: true },
      element("div", { class: "cx-head" }, element("h3", {}, "A − B"), this.differenceNote),
      element("div", { class: "cx-picture" }, this.differenceCanvas));
    const panes = element("div", { class: "cx-panes" }, ...this.panes.map(each => each.node), this.difference);
    this.tabs = tabs([...TITLES, "A − B"], panes, "cx-tabs");
    this.status = element("span", { class: "cx-status", role: "status" });
    this.code = element("pre", { class: "cx-code", tabindex: 0 });
    this.details = element("details", { class: "cx-python" }, element("summary", {}, "Show Python"), this.code);
    this.view = element("div", { class: "cx", role: "group", "aria-label": "Contrast explorer" },
      element("div", { class: "cx-top" }, this.pictures.node, this.caption), this.tour.node, this.tools.node, this.tabs.node,
      panes, this.readout, this.buttons());
    for (const canvas of this.canvases()) {
      trackPointer(canvas, () => [this.picture().width, this.picture().height], () => this.position, position => this.point(position));
    }
  }

  buttons() {
    const button = (title, action) => element("button", { type: "button", onclick: action }, title);
    const link = () => `${location.href.split("#")[0]}${address(this.header.name, this.state)}`;
    return element("div", { class: "cx-actions" }, button("Save picture", () => this.save()),
      button("Copy Python", () => this.copy(this.code.textContent, "The Python lines are copied.")),
      ...(this.host.live ? [] : [button("Copy link", () => this.copy(link(), "The link is copied."))]),
      button("Reset", () => this.change(this.header.state)), this.details, this.status);
  }

  canvases() {
    return [...this.panes.map(each => each.canvas), this.differenceCanvas];
  }

  // The choices of both panes are folded or not.
  unfold(open) {
    this.view.toggleAttribute("data-open", open);
    this.tools.fold.setAttribute("aria-expanded", String(open));
    this.tools.fold.textContent = open ? "Less" : "More";
  }

  // The actions of the controls of pane i.
  actions(i) {
    const own = () => this.state.panes[i];
    const withPane = fields => this.state.panes.map((each, j) => (j === i ? { ...each, ...fields } : each));
    const choose = fields => this.change({ panes: withPane(fields) });
    return {
      choose,
      network: network => {
        const { views } = this.picture(i);
        choose({ ...carried(own(), views[own().network], views[network]), network });
      },
      picture: value => {
        if (i === 0) return this.change({ picture: Number(value) });
        const other = value === "" ? null : Number(value);
        const to = this.header.pictures[other ?? this.state.picture].views[own().network];
        return this.change({ other, panes: withPane(carried(own(), this.viewOf(i), to)) });
      },
      target: rank => choose({ rank, contrast: this.withoutWeights(own().contrast) }),
      contrast: contrast => {
        if (contrast === "own") this.unfold(true);
        choose({ contrast, weights: contrast === "own" ? ownShares(this.viewOf(i), own()) : null });
      },
      rivals: foils => choose({ contrast: "among", foils }),
      foil: (rank, ticked) => {
        const foils = own().contrast === "among" ? own().foils.filter(each => each !== rank) : [];
        choose({ contrast: "among", foils: ticked ? [...foils, rank] : foils });
      },
      share: (rank, value) =>
        choose({ contrast: "own", weights: withShare(this.viewOf(i), own(), rank, value) }),
    };
  }

  picture(i = 0) { return this.header.pictures[picturesOf(this.state)[i]]; }
  viewOf(i) { return this.picture(i).views[this.state.panes[i].network]; }
  shares(i) { return shares(this.viewOf(i), this.state.panes[i]); }

  // The contrast for another class or picture: weights that the reader has set belong to one class of one picture.
  withoutWeights(contrast) { return contrast === "own" ? this.header.default_contrast : contrast; }

  entry(i) {
    const { method, layer } = this.state.panes[i];
    return this.viewOf(i).maps.find(map => map.method === method && map.layer === layer);
  }

  change(requested) {
    const [before, after] = [this.state, { ...this.state, ...requested }].map(picturesOf);
    const panes = requested.panes ?? this.state.panes.map((each, i) =>
      (after[i] === before[i] ? each : { ...each, contrast: this.withoutWeights(each.contrast) }));
    this.state = validState({ ...this.state, ...requested, panes }, this.header);
    this.host.changed(this.state);
    return this.draw();
  }

  // Draws the current state. Errors are shown in the page.
  async draw() {
    try {
      await this.drawMaps();
      showError(this.root, null);
    } catch (error) {
      showError(this.root, error);
      throw error;
    }
  }

  // What one pane is drawn from: its picture and its map at the size of the picture.
  async drawn(i) {
    const picture = this.picture(i), { width, height } = picture, entry = this.entry(i), own = this.state.panes[i];
    const view = this.viewOf(i), needsBlur = this.state.fill === "blur" && this.state.keep !== "all";
    const [pixels, blurred, parts, stack] = await Promise.all([this.data.pixels(picture.image, picture),
      needsBlur ? this.data.pixels(picture.blurred, picture) : null, picture.parts && this.data.labels(picture.parts.labels),
      this.data.stack(entry)]);
    const map = upsampled(mapOf(entry, stack, view, own), entry.height, entry.width, height, width);
    return { picture, pixels, blurred, parts, map };
  }

  // A drawing that finishes late must not replace a later one.
  async drawMaps() {
    const turn = ++this.turn;
    this.updateControls();
    const drawn = await Promise.all(TITLES.map((_, i) => this.drawn(i)));
    if (turn !== this.turn) return;
    this.shown = drawn;
    const own = drawn.map(each => largest(each.map));
    this.limits = this.state.shared ? own.map(() => Math.max(...own)) : own;
    drawn.forEach((each, i) => this.drawPane(i, each));
    if (this.state.difference) this.drawDifference(drawn, own);
    this.updateReadout();
    this.ready?.();
    await this.updateEffects();
  }

  drawPane(i, { picture, pixels, blurred, map }) {
    const { keep, fill, opacity } = this.state, { canvas, scale } = this.panes[i];
    const fills = { blur: (pixel, channel) => blurred[4 * pixel + channel], zero: () => 0,
      mean: (_, channel) => picture.mean[channel] };
    const result = keep === "all" ? overlaid(pixels, map, this.limits[i], opacity, this.header.colours)
      : kept(pixels, map, keep, fills[fill]);
    paint(canvas, result, picture.width, picture.height);
    canvas.setAttribute("aria-label", `${this.described(i).join(", ")}. Arrow keys read out values.`);
    scale.update(this.limits[i], this.header.colours);
  }

  // The difference of the maps if both have the same unit, otherwise of the maps divided by their largest values.
  drawDifference([{ picture, pixels, map }, { map: other }], own) {
    const [a, b] = this.state.panes;
    const sameUnit = a.network === b.network && a.method === b.method && a.layer === b.layer;
    const [first, second] = [map, other].map((each, i) => (sameUnit ? each : each.map(value => value / (own[i] || 1))));
    const difference = first.map((value, i) => value - second[i]);
    this.differenceNote.textContent = sameUnit ? "Red: A is larger; blue: B is larger."
      : "Each map is divided by its largest value. Red: A is larger; blue: B is larger.";
    const shown = overlaid(pixels, difference, largest(difference), this.state.opacity, this.header.colours);
    paint(this.differenceCanvas, shown, picture.width, picture.height);
  }

  // What masking does to the probabilities: as recorded, or as a kernel computes it.
  async updateEffects() {
    const { state } = this, { keep, fill } = state;
    const logs = await Promise.all(state.panes.map(async (each, i) => {
      const entry = this.entry(i);
      return keep === "all" || !("masked" in entry) ? null
        : recordedLogs(await this.data.integers(entry.masked), this.viewOf(i), entry.kind, each, keep, fill);
    }));
    if (state !== this.state) return;
    this.showEffects(keep === "all" ? null : logs);
    if (keep !== "all" && logs.includes(null)) this.host.evaluate?.(state);
  }

  // A kernel has computed the logarithms of probabilities for both panes of a state.
  evaluated(state, logs) {
    if (JSON.stringify(state) === JSON.stringify(this.state)) this.showEffects(logs);
  }

  showEffects(logs) {
    this.effects = TITLES.map((_, i) => logs && this.effectRows(i, logs[i]));
    this.panes.forEach((each, i) => each.effect.update(this.effects[i]));
  }

  effectRows(i, logs) {
    if (logs) return effectRows(this.viewOf(i), this.state.panes[i], logs);
    return this.host.evaluate ? "The kernel computes the probabilities …" : NOT_RECORDED;
  }

  updateControls() {
    this.pictures.update(this.header, this.state, index => this.thumbnail(index));
    this.panes.forEach((each, i) => each.update(this.header, this.state, this.state.panes[i], this.viewOf(i), this.shares(i), this.question(i)));
    this.tools.update(this.state);
    this.tabs.buttons.at(-1).hidden = !this.state.difference;
    this.tour.update(this.steps.findIndex(step => JSON.stringify(step.state) === JSON.stringify(this.state)));
    this.difference.hidden = !this.state.difference;
    this.caption.textContent = [...new Set(TITLES.map((_, i) => this.picture(i).caption))].join(" B: ");
    this.code.textContent = this.python();
  }

  thumbnail(index) {
    const { image, type } = this.header.pictures[index];
    return URL.createObjectURL(new Blob([this.host.bytes(image)], { type }));
  }

  question(i) { return question(this.header, this.viewOf(i), this.state.panes[i]); }
  described(i) { return described(this.header, this.viewOf(i), this.state.panes[i]); }

  python() {
    return this.state.panes.map((each, i) => {
      const lines = snippet(this.header, this.picture(i), each, this.shares(i), this.state);
      return `# ${TITLES[i]}: ${this.question(i)}\n${lines}`;
    }).join("\n\n");
  }

  point(position) {
    this.position = position;
    this.updateReadout();
  }

  updateReadout() {
    for (const { cross } of this.panes) placeCross(cross, this.position);
    if (!this.shown) return;
    this.readout.textContent = this.position ? this.valuesAt(this.position) : `${this.likeness()}Point at a map, or use the arrow keys, to read its values.`;
  }

  likeness() {
    if (this.state.other !== null) return "";
    const found = cosine(...this.shown.map(each => each.map));
    return found === null ? "" : `Cosine of A and B: ${found.toFixed(2)} (1: the same pattern). `;
  }

  valuesAt(position) {
    const read = this.shown.map(({ picture, map, parts }) => {
      const [x, y] = pixelAt(position, picture), pixel = y * picture.width + x;
      return { at: `at ${x}, ${y}`, value: map[pixel], part: parts && (picture.parts.names[parts[pixel]] || "no bird") };
    });
    const several = this.state.other !== null;
    const texts = read.map(({ value, part }, i) => `${TITLES[i]}: ${value.toPrecision(3)} `
      + `(${Math.round((100 * value) / (this.limits[i] || 1))} %)${several && part ? ` ${part}` : ""}`);
    return [...texts, ...(read[0].part && !several ? [read[0].part] : []), read[0].at].join(" · ");
  }

  async save() {
    const numbers = i => (Array.isArray(this.effects?.[i]) ? this.effects[i] : [])
      .map(([name, , before, after]) => `${name}: ${percent(before)} → ${percent(after)}`);
    const lines = i => [`${TITLES[i]}: ${this.question(i)}`, ...this.described(i), ...numbers(i)];
    const shown = [...this.panes.map((each, i) => ({ canvas: each.canvas, lines: lines(i) })),
      ...(this.state.difference ? [{ canvas: this.differenceCanvas, lines: ["A − B"] }] : [])];
    const blob = await composed(this.caption.textContent, shown);
    const link = element("a", { href: URL.createObjectURL(blob), download: `${this.header.name}.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    this.status.textContent = "The picture is saved.";
  }

  async copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
      this.status.textContent = done;
    } catch {  // the browser does not allow it: show the text, so that the reader can copy it
      this.details.open = true;
      this.status.textContent = `Copying is not allowed here: ${text === this.code.textContent ? "the lines are below" : text}`;
    }
  }
}
