// The explorer: it draws the maps that its state selects from its data.

import { largest, logitsOf, mapOf, shares, softmax, upsampled, withShare } from "./arithmetic.js";
import { composed, kept, overlaid, paint, pixelsOf } from "./drawing.js";
import { filled, snippet } from "./snippets.js";
import { validState } from "./state.js";
import { element, pane, percent, pictureChoice, showError, tools } from "./view.js";

const TITLES = ["A", "B"];

// host: header(), bytes(chunk) -> Uint8Array, state (the requested initial state), changed(state), live
export class Explorer {
  constructor(root, host) {
    Object.assign(this, { root, host, cache: new Map(), cursor: null, turn: 0 });
    this.header = host.header();
    this.state = validState(host.state, this.header);
    this.build();
  }

  build() {
    const { name } = this.header;
    this.pictures = pictureChoice(name, picture => this.change({ picture }));
    this.panes = TITLES.map((title, i) => pane(`Map ${title}`, this.actions(i)));
    this.caption = element("p", { class: "cx-caption", "aria-live": "polite" });
    this.tools = tools(requested => this.change(requested));
    this.readout = element("output", { class: "cx-readout", "aria-live": "polite" });
    this.differenceCanvas = element("canvas", { tabindex: 0, role: "img", "aria-label": "Difference of the two maps" });
    this.differenceNote = element("p", { class: "cx-about" });
    this.difference = element("section", { class: "cx-pane cx-difference", "aria-label": "Difference", hidden: true },
      element("h3", {}, "A − B"), this.differenceNote, element("div", { class: "cx-picture" }, this.differenceCanvas));
    this.status = element("span", { class: "cx-status", role: "status" });
    this.code = element("pre", { class: "cx-code", tabindex: 0 });
    const button = (title, action) => element("button", { type: "button", onclick: action }, title);
    const link = this.host.live ? [] : [button("Copy link", () => this.copy(location.href, "The link is copied."))];
    this.details = element("details", { class: "cx-python" }, element("summary", {}, "The same maps in Python"), this.code);
    this.view = element("div", { class: "cx", role: "group", "aria-label": "Contrast explorer" }, this.pictures.node, this.caption,
      element("div", { class: "cx-panes" }, ...this.panes.map(each => each.node), this.difference), this.readout, this.tools.node,
      element("div", { class: "cx-actions" }, button("Save picture", () => this.save()),
        button("Copy Python", () => this.copy(this.code.textContent, "The Python lines are copied.")), ...link,
        button("Reset", () => this.change(this.header.state)), this.status), this.details);
    for (const canvas of this.canvases()) this.trackPointer(canvas);
  }

  canvases() {
    return [...this.panes.map(each => each.canvas), this.differenceCanvas];
  }

  // The actions of the controls of pane i.
  actions(i) {
    const own = () => this.state.panes[i];
    const choose = fields =>
      this.change({ panes: this.state.panes.map((each, j) => (j === i ? { ...each, ...fields } : each)) });
    return {
      choose,
      network: network => {  // the class stays the same if the other network lists it too
        const views = this.picture().views;
        const { index } = views[own().network].classes[own().rank];
        const rank = views[network].classes.findIndex(each => each.index === index);
        choose({ network, rank: Math.max(0, rank), foils: [], weights: null });
      },
      target: rank => choose({ rank, contrast: this.withoutWeights(own().contrast) }),
      contrast: contrast => choose({ contrast, weights: contrast === "own" ? this.shares(i) : null }),
      foil: (rank, ticked) => {
        const foils = own().contrast === "among" ? own().foils.filter(each => each !== rank) : [];
        choose({ contrast: "among", foils: ticked ? [...foils, rank] : foils });
      },
      share: (rank, value) =>
        choose({ contrast: "own", weights: withShare(this.viewOf(i), own(), rank, value) }),
    };
  }

  picture() { return this.header.pictures[this.state.picture]; }
  viewOf(i) { return this.picture().views[this.state.panes[i].network]; }
  shares(i) { return shares(this.viewOf(i), this.state.panes[i]); }

  // The contrast for another class or picture: weights that the reader has set belong to one class of one picture.
  withoutWeights(contrast) { return contrast === "own" ? this.header.default_contrast : contrast; }

  entry(i) {
    const { method, layer } = this.state.panes[i];
    return this.viewOf(i).maps.find(map => map.method === method && map.layer === layer);
  }

  change(requested) {
    if ("picture" in requested && requested.picture !== this.state.picture && !requested.panes) {
      const panes = this.state.panes.map(each => ({ ...each, contrast: this.withoutWeights(each.contrast) }));
      requested = { ...requested, panes };
    }
    this.state = validState({ ...this.state, ...requested }, this.header);
    this.host.changed(this.state);
    return this.draw();
  }

  // The unpacked content of a chunk, from the cache if it was unpacked before.
  load(chunk, unpack) {
    if (!this.cache.has(chunk)) this.cache.set(chunk, unpack(this.host.bytes(chunk)));
    return this.cache.get(chunk);
  }

  stack(entry) {
    return this.load(entry.stack, async bytes => ({
      planes: integers(new Uint8Array(await inflated(bytes))),
      coefficients: new Float32Array(this.host.bytes(entry.coefficients).slice().buffer),
    }));
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

  // A drawing that finishes late must not replace a later one.
  async drawMaps() {
    const turn = ++this.turn, picture = this.picture(), { width, height, type } = picture;
    const image = chunk => this.load(chunk, bytes => pixelsOf(bytes, type, width, height));
    this.updateControls();
    const [pixels, blurred, parts, ...stacks] = await Promise.all([
      image(picture.image), this.state.fill === "blur" && this.state.keep !== "all" ? image(picture.blurred) : null,
      picture.parts && this.load(picture.parts.labels, async bytes => new Uint8Array(await inflated(bytes))),
      this.stack(this.entry(0)), this.stack(this.entry(1))]);
    if (turn !== this.turn) return;
    this.maps = stacks.map((stack, i) => {
      const entry = this.entry(i);
      const map = mapOf(entry, stack, this.viewOf(i), this.state.panes[i]);
      return upsampled(map, entry.height, entry.width, height, width);
    });
    this.parts = parts;
    const own = this.maps.map(largest);
    this.limits = this.state.shared ? own.map(() => Math.max(...own)) : own;
    const fills = { blur: (pixel, channel) => blurred[4 * pixel + channel], zero: () => 0,
      mean: (_, channel) => picture.mean[channel] };
    this.panes.forEach((each, i) => {
      const result = this.state.keep === "all"
        ? overlaid(pixels, this.maps[i], this.limits[i], this.state.opacity, this.header.colours)
        : kept(pixels, this.maps[i], this.state.keep, fills[this.state.fill]);
      paint(each.canvas, result, width, height);
      each.canvas.setAttribute("aria-label", `${this.described(i).join(", ")}. Arrow keys read out values.`);
      each.scale.update(this.limits[i], this.header.colours);
    });
    if (this.state.difference) this.drawDifference(pixels, width, height, own);
    this.updateReadout();
    this.ready?.();
  }

  // The difference of the maps if both have the same unit, otherwise of the maps divided by their largest values.
  drawDifference(pixels, width, height, own) {
    const [a, b] = this.state.panes;
    const sameUnit = a.network === b.network && a.method === b.method && a.layer === b.layer;
    const [first, second] = this.maps.map((map, i) => (sameUnit ? map : map.map(value => value / (own[i] || 1))));
    const difference = first.map((value, i) => value - second[i]);
    this.differenceNote.textContent = sameUnit
      ? "In the unit of the maps. Red: A is larger; blue: B is larger."
      : "Each map is divided by its largest absolute value. Red: A is larger; blue: B is larger.";
    const shown = overlaid(pixels, difference, largest(difference), this.state.opacity, this.header.colours);
    paint(this.differenceCanvas, shown, width, height);
  }

  updateControls() {
    this.pictures.update(this.header, this.state, index => this.thumbnail(index));
    this.panes.forEach((each, i) => each.update(this.header, this.state, this.state.panes[i], this.viewOf(i), this.shares(i), this.question(i)));
    this.tools.update(this.state);
    this.difference.hidden = !this.state.difference;
    this.caption.textContent = this.picture().caption;
    this.code.textContent = this.python();
  }

  thumbnail(index) {
    const { image, type } = this.header.pictures[index];
    return URL.createObjectURL(new Blob([this.host.bytes(image)], { type }));
  }

  // The question that a map answers.
  question(i) {
    const { rank, contrast, foils } = this.state.panes[i], view = this.viewOf(i), probability = softmax(logitsOf(view));
    const names = [...view.classes.map(each => each.name), "all others"];
    const named = index => `${names[index]} (${percent(probability[index])})`;
    return filled(this.header.contrasts[contrast].question, { target: named(rank), rival: named(rank === 0 ? 1 : 0),
      others: percent(1 - probability[rank]), foils: foils.map(named).join(" or ") });
  }

  // The description of a map: method and contrast, class, network and layer.
  described(i) {
    const { network, method, layer, rank, contrast } = this.state.panes[i];
    return [`${this.header.methods[method].title}, ${this.header.contrasts[contrast].title}`,
      `${this.viewOf(i).classes[rank].name}`, `${this.header.networks[network].title}, ${layer.replace(/^network\./, "")}`];
  }

  python() {
    return this.state.panes.map((each, i) => {
      const lines = snippet(this.header, this.picture(), each, this.shares(i));
      return `# ${TITLES[i]}: ${this.question(i)}\n${lines}`;
    }).join("\n\n");
  }

  // The pointer and the arrow keys move one marker over all maps.
  trackPointer(canvas) {
    const move = event => {
      const box = canvas.getBoundingClientRect(), { width, height } = this.picture();
      this.point(Math.floor(((event.clientX - box.left) / box.width) * width), Math.floor(((event.clientY - box.top) / box.height) * height));
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerdown", move);
    canvas.addEventListener("pointerleave", event => event.pointerType === "mouse" && this.point(null));
    canvas.addEventListener("keydown", event => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (event.key === "Escape") this.point(null);
      if (!step) return;
      event.preventDefault();
      const { width, height } = this.picture(), distance = event.shiftKey ? 1 : width / 32;
      const [x, y] = this.cursor ?? [width / 2, height / 2];
      this.point(x + step[0] * distance, y + step[1] * distance);
    });
  }

  point(x, y) {
    const { width, height } = this.picture();
    const inside = (value, length) => Math.min(length - 1, Math.max(0, Math.round(value)));
    this.cursor = x === null ? null : [inside(x, width), inside(y, height)];
    this.updateReadout();
  }

  updateReadout() {
    const { width, height, parts } = this.picture();
    for (const { cross } of this.panes) {
      cross.hidden = !this.cursor;
      if (this.cursor) {
        cross.style.left = `${(100 * (this.cursor[0] + 0.5)) / width}%`;
        cross.style.top = `${(100 * (this.cursor[1] + 0.5)) / height}%`;
      }
    }
    if (!this.cursor || !this.maps) {
      this.readout.textContent = "Point at a map, or move over it with the arrow keys, to read its values.";
      return;
    }
    const pixel = this.cursor[1] * width + this.cursor[0];
    const values = this.maps.map((map, i) =>
      `${TITLES[i]}: ${map[pixel].toPrecision(3)} (${Math.round((100 * map[pixel]) / (this.limits[i] || 1))} %)`);
    const part = parts && (parts.names[this.parts[pixel]] || "no bird");
    this.readout.textContent = [...values, ...(part ? [part] : []), `at ${this.cursor.join(", ")}`].join(" · ");
  }

  async save() {
    const shown = [...this.panes.map((each, i) => ({ canvas: each.canvas, lines: [`${TITLES[i]}: ${this.question(i)}`, ...this.described(i)] })),
      ...(this.state.difference ? [{ canvas: this.differenceCanvas, lines: ["A − B"] }] : [])];
    const blob = await composed(this.picture().caption, shown);
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

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// Signed 16-bit integers from bytes that hold all low bytes first, and then all high bytes.
function integers(bytes) {
  const count = bytes.length / 2;
  return Int16Array.from({ length: count }, (_, i) => bytes[i] | (bytes[count + i] << 8));
}
