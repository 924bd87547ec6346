// The explorer: data in, state in the middle, canvases out.

import { largest, logitsOf, mapOf, shares, softmax, upsampled, withShare } from "./arithmetic.js";
import { composed, kept, overlaid, paint, pixelsOf } from "./drawing.js";
import { filled, snippet } from "./snippets.js";
import { settled } from "./state.js";
import { element, pane, percent, pictureChoice, tell, tools } from "./view.js";

const TITLES = ["A", "B"];

// host: header(), bytes(chunk) -> Uint8Array, state (the first wish), changed(state), live
export class Explorer {
  constructor(root, host) {
    Object.assign(this, { root, host, cache: new Map(), cursor: null, turn: 0 });
    this.header = host.header();
    this.state = settled(host.state, this.header);
    this.build();
  }

  build() {
    const { name } = this.header;
    this.pictures = pictureChoice(name, picture => this.change({ picture }));
    this.panes = TITLES.map((title, i) => pane(`Map ${title}`, this.actions(i)));
    this.caption = element("p", { class: "cx-caption", "aria-live": "polite" });
    this.tools = tools(wish => this.change(wish));
    this.readout = element("output", { class: "cx-readout", "aria-live": "polite" });
    this.third = element("canvas", { tabindex: 0, role: "img", "aria-label": "Difference of the two maps" });
    this.differenceNote = element("p", { class: "cx-about" });
    this.difference = element("section", { class: "cx-pane cx-difference", "aria-label": "Difference", hidden: true },
      element("h3", {}, "A − B"), this.differenceNote, element("div", { class: "cx-picture" }, this.third));
    this.status = element("span", { class: "cx-status", role: "status" });
    this.code = element("pre", { class: "cx-code", tabindex: 0 });
    const button = (title, action) => element("button", { type: "button", onclick: action }, title);
    const link = this.host.live ? [] : [button("Copy link", () => this.copy(location.href, "The link is copied."))];
    this.details = element("details", { class: "cx-python" }, element("summary", {}, "The same maps in Python"), this.code);
    this.view = element("div", { class: "cx", role: "group", "aria-label": "Contrast explorer" }, this.pictures.node, this.caption,
      element("div", { class: "cx-panes" }, ...this.panes.map(each => each.node), this.difference), this.readout, this.tools.node,
      element("div", { class: "cx-actions" }, button("Save picture", () => this.save()),
        button("Copy Python", () => this.copy(this.code.textContent, "The Python lines are copied.")), ...link,
        button("Start again", () => this.change(this.header.state)), this.status), this.details);
    for (const canvas of this.canvases()) this.follow(canvas);
  }

  canvases() {
    return [...this.panes.map(each => each.canvas), this.third];
  }

  // What the controls of pane i do.
  actions(i) {
    const own = () => this.state.panes[i];
    const choose = wish => this.change({ panes: this.state.panes.map((each, j) => (j === i ? { ...each, ...wish } : each)) });
    return {
      choose,
      network: network => {  // the class stays the same where the other network lists it too
        const views = this.picture().views;
        const { index } = views[own().network].classes[own().rank];
        const rank = views[network].classes.findIndex(each => each.index === index);
        choose({ network, rank: Math.max(0, rank), foils: [], weights: null });
      },
      target: rank => choose({ rank, contrast: this.lasting(own().contrast) }),
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

  // Weights drawn by hand belong to one class of one picture.
  lasting(contrast) { return contrast === "own" ? this.header.default_contrast : contrast; }

  entry(i) {
    const { method, layer } = this.state.panes[i];
    return this.viewOf(i).maps.find(map => map.method === method && map.layer === layer);
  }

  change(wish) {
    if ("picture" in wish && wish.picture !== this.state.picture && !wish.panes) {
      const panes = this.state.panes.map(each => ({ ...each, contrast: this.lasting(each.contrast) }));
      wish = { ...wish, panes };
    }
    this.state = settled({ ...this.state, ...wish }, this.header);
    this.host.changed(this.state);
    return this.draw();
  }

  // Everything that a chunk holds, once it has been unpacked.
  load(chunk, unpack) {
    if (!this.cache.has(chunk)) this.cache.set(chunk, unpack(this.host.bytes(chunk)));
    return this.cache.get(chunk);
  }

  stack(entry) {
    return this.load(entry.stack, async bytes => ({ planes: integers(new Uint8Array(await inflated(bytes))),
      mix: new Float32Array(this.host.bytes(entry.mix).slice().buffer) }));
  }

  // Draws what is chosen; what goes wrong is told in the page.
  async draw() {
    try {
      await this.drawMaps();
      tell(this.root, null);
    } catch (error) {
      tell(this.root, error);
      throw error;
    }
  }

  // A slower answer to an earlier choice must not replace a later one.
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
    this.read();
    this.ready?.();
  }

  // In their own unit where both maps have the same, else each as a share of its largest value.
  drawDifference(pixels, width, height, own) {
    const [a, b] = this.state.panes;
    const alike = a.network === b.network && a.method === b.method && a.layer === b.layer;
    const [first, second] = this.maps.map((map, i) => (alike ? map : map.map(value => value / (own[i] || 1))));
    this.apart = first.map((value, i) => value - second[i]);
    this.differenceNote.textContent = alike
      ? "In the unit of the maps. Red: more in A; blue: more in B."
      : "Each map divided by its largest absolute value. Red: more in A; blue: more in B.";
    paint(this.third, overlaid(pixels, this.apart, largest(this.apart), this.state.opacity, this.header.colours), width, height);
  }

  updateControls() {
    this.pictures.update(this.header, this.state, index => this.thumbnail(index));
    this.panes.forEach((each, i) => each.update(this.header, this.state, this.state.panes[i], this.viewOf(i), this.shares(i), this.asked(i)));
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
  asked(i) {
    const { rank, contrast, foils } = this.state.panes[i], view = this.viewOf(i), chance = softmax(logitsOf(view));
    const names = [...view.classes.map(each => each.name), "all others"];
    const named = place => `${names[place]} (${percent(chance[place])})`;
    return filled(this.header.contrasts[contrast].question, { target: named(rank), rival: named(rank === 0 ? 1 : 0),
      others: percent(1 - chance[rank]), foils: foils.map(named).join(" or ") });
  }

  // What a map is: of which method and contrast, of which class, of which network and layer.
  described(i) {
    const { network, method, layer, rank, contrast } = this.state.panes[i];
    return [`${this.header.methods[method].title}, ${this.header.contrasts[contrast].title}`,
      `${this.viewOf(i).classes[rank].name}`, `${this.header.networks[network].title}, ${layer.replace(/^network\./, "")}`];
  }

  python() {
    return this.state.panes.map((each, i) => {
      const lines = snippet(this.header, this.picture(), each, this.shares(i));
      return `# ${TITLES[i]}: ${this.asked(i)}\n${lines}`;
    }).join("\n\n");
  }

  // The pointer and the arrow keys move one cross over all maps.
  follow(canvas) {
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
      const { width, height } = this.picture(), far = event.shiftKey ? 1 : width / 32;
      const [x, y] = this.cursor ?? [width / 2, height / 2];
      this.point(x + step[0] * far, y + step[1] * far);
    });
  }

  point(x, y) {
    const { width, height } = this.picture();
    const inside = (value, length) => Math.min(length - 1, Math.max(0, Math.round(value)));
    this.cursor = x === null ? null : [inside(x, width), inside(y, height)];
    this.read();
  }

  read() {
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
    const place = this.cursor[1] * width + this.cursor[0];
    const values = this.maps.map((map, i) =>
      `${TITLES[i]}: ${map[place].toPrecision(3)} (${Math.round((100 * map[place]) / (this.limits[i] || 1))} %)`);
    const part = parts && (parts.names[this.parts[place]] || "no bird");
    this.readout.textContent = [...values, ...(part ? [part] : []), `at ${this.cursor.join(", ")}`].join(" · ");
  }

  async save() {
    const shown = [...this.panes.map((each, i) => ({ canvas: each.canvas, lines: [`${TITLES[i]}: ${this.asked(i)}`, ...this.described(i)] })),
      ...(this.state.difference ? [{ canvas: this.third, lines: ["A − B"] }] : [])];
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
    } catch {  // not allowed here: show it, to be copied by hand
      this.details.open = true;
      this.status.textContent = `Copying is not allowed here: ${text === this.code.textContent ? "the lines are below" : text}`;
    }
  }
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// Signed 16-bit integers from the low bytes of all and then their high bytes.
function integers(bytes) {
  const count = bytes.length / 2;
  return Int16Array.from({ length: count }, (_, i) => bytes[i] | (bytes[count + i] << 8));
}
