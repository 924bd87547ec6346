// The page: a picture of the reader, what the network says of it, and the map that answers the reader's question.

import { largest, upsampled } from "../arithmetic.js";
import { composed, overlaid, paint, pixelsOf } from "../drawing.js";
import { element, percent } from "../elements.js";
import { tabs } from "../tabs.js";
import { Painted } from "./brush.js";
import { classList } from "./classes.js";
import { against, CONTRASTS, mapOfWeights, numbers, rivalOf } from "./contrasts.js";
import { button, menu, signed, slider } from "./dom.js";
import { loading } from "./loading.js";
import { Network } from "./network.js";
import { painting } from "./painting.js";
import { parts } from "./parts.js";
import { pixelsOfFile } from "./picture.js";
import { sources } from "./sources.js";
import { contrastsFor, validState } from "./state.js";
import { surer } from "./surer.js";
import { codeOfFile, python, question, terms, unasked } from "./words.js";

const QUANTITIES = [["probability", "Probability p", percent], ["logOdds", "Log-odds", signed], ["relative", "Relative probability", percent]];

export class Live {
  // header: the page's data; base: address of the folder of the network; host: state, changed(state), link(state) -> address
  constructor(root, header, base, host) {
    Object.assign(this, { root, header, host, size: header.network.size, turn: 0, asked: 0 });
    this.state = validState(host.state ?? {}, header);
    this.network = new Network(base, header.network);
    this.build();
  }

  build() {
    const { header } = this;
    this.loading = loading(this.network, () => this.explain());
    this.painting = painting({ painted: () => this.painted, changed: () => this.repainted(),
      keep: (sign, fill) => this.keep(sign, fill) });
    this.classes = classList(header.network.classes, header.network.classes[header.state.foils[0]], (list, others, kind) => this.change(
      kind === "t" ? { targets: list, foils: others } : { foils: list, targets: others, contrast: list.length ? "among" : null }));
    this.contrast = menu("Contrast", "contrast", contrast => this.change({ contrast }));
    this.method = menu("Method", "method", method => this.change({ method }));
    this.opacity = slider("Opacity", "opacity", [0, 100, 1], opacity => this.change({ opacity }));
    this.surer = surer(step => this.change({ surer: step }));
    this.surer.ontoggle(() => this.draw());
    this.parts = header.parts && parts(header, trait => this.repaint(trait));
    this.question = element("p", { class: "live-question", "aria-live": "polite" });
    this.map = element("canvas", { class: "live-map", role: "img", width: 224, height: 224 });
    this.cells = new Map();
    this.code = element("pre", { class: "live-code", tabindex: 0 });
    this.details = element("details", { class: "live-python" }, element("summary", {}, "The same map in Python"), this.code);
    this.said = element("span", { class: "live-status", role: "status" });
    this.about = element("p", { class: "live-note live-about" });
    this.terms = element("p", { class: "live-note" });
    this.view = this.layout();
  }

  layout() {
    const pair = element("div", { class: "live-pair" },
      element("figure", {}, this.painting.node, element("figcaption", {}, "Picture: paint on it")),
      element("figure", {}, this.map, element("figcaption", {}, "Red speaks for, blue against")));
    return element("div", { class: "live" }, this.loading.node,
      this.parts?.node ?? sources(this.root, this.header.picture.title, file => this.open(file), () => this.restart()), this.question,
      tabs(["A: picture", "B: map"], pair, "live-tabs").node, pair, this.table(), this.painting.tools, this.terms,
      element("div", { class: "live-menus" }, this.contrast.node, this.method.node, this.opacity.node), this.about,
      this.classes.node, this.surer.node,
      element("div", { class: "live-actions" }, button("Save picture", () => this.save()),
        button("Copy Python", () => this.copy(this.code.textContent, "The Python lines are copied.")),
        button("Copy link", () => this.copy(this.host.link(this.state), "The link is copied. It keeps classes and menus, not a picture of yours.")), this.said),
      this.details);
  }

  table() {
    const cell = key => { this.cells.set(key, element("td")); return this.cells.get(key); };
    const rows = QUANTITIES.map(([key, title]) =>
      element("tr", { "data-quantity": key }, element("th", { scope: "row" }, title), cell(`${key}-before`), cell(`${key}-now`)));
    return element("table", { class: "live-numbers" }, element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Of what is explained"),
      element("th", { scope: "col" }, "Before"), element("th", { scope: "col" }, "Now"))), element("tbody", {}, ...rows));
  }

  // The first picture, with what the network said of it when the page was made. Returns whether it is shown.
  async start() {
    const { picture } = this.header, pixels = await this.latest(this.decoded(picture.image));
    if (!pixels) return false;
    const maps = picture.maps.map(({ scale, data }) => Float32Array.from(new Int16Array(bytesOf(data).buffer), value => scale * value));
    const recorded = { logits: new Float32Array(bytesOf(picture.logits).buffer), maps, height: picture.height, width: picture.width };
    Object.assign(this, { picture: { title: picture.title, code: picture.code }, painted: new Painted(pixels, this.size),
      before: recorded, result: recorded });
    this.draw();
    return true;
  }

  // The first picture again, with the question that the page opened with.
  async restart() {
    if (!await this.start()) return;
    this.loading.say("");
    this.change(this.header.state);
  }

  // The picture with another trait of a part, or as it was for null.
  async repaint(trait) {
    const image = trait && this.header.parts[trait.part].versions[trait.version].image;
    const pixels = await this.latest(image ? this.decoded(image) : Promise.resolve(this.painted.original.slice()));
    if (!pixels) return;
    this.painted.repaint(pixels, trait);
    this.repainted();
  }

  // The picture where the map has the kept sign.
  keep(sign, fill) {
    if (!this.result) return this.loading.say("There is no map yet: load the network first.");
    this.painted.keep(this.fullMap(), sign, fill);
    this.repainted();
  }

  decoded(image) { return pixelsOf(bytesOf(image), this.header.picture.type, this.size, this.size); }

  // The pixels of a picture, or null if another one was asked for while this one was decoded.
  async latest(decoding) {
    const turn = ++this.turn;
    try {
      const pixels = await decoding;
      return turn === this.turn ? pixels : null;
    } catch (error) {
      if (turn !== this.turn) return null;
      throw error;
    }
  }

  // A file of the reader.
  async open(file) {
    try {
      const pixels = await this.latest(pixelsOfFile(file, this.header.network));
      if (!pixels) return;
      const picture = { title: file.name || "Your picture", code: codeOfFile(file.name || "photo.png"), own: true };
      Object.assign(this, { picture, painted: new Painted(pixels, this.size), before: null, result: null, first: null });
      this.draw();
      this.loading.say(this.network.ready ? "" : "Your picture is here, and only here. Load the network to see what it says.");
      if (this.network.ready) await this.explain();
    } catch (error) {
      this.loading.say(error.message);
    }
  }

  change(requested) {
    this.state = validState({ ...this.state, ...requested }, this.header);
    this.host.changed(this.state);
    this.draw();
  }

  repainted() {
    this.painting.showNow();
    this.explain();
  }

  // Asks the network about the picture as it is. While it answers, the latest picture waits. A new picture is asked about
  // once as it was given, and then as the latest call finds it.
  async explain() {
    if (!this.network.ready) return this.unanswered(this.painted.changed ? "Load the network to see what it says of the changed picture." : "");
    const { painted } = this, own = !this.before, turn = ++this.asked;
    try {
      if (own) await (this.first ??= this.ask(painted, painted.original, result => this.met(result)));
      if (turn === this.asked && (!own || painted.changed)) await this.ask(painted, painted.pixels, result => { this.result = result; });
      if (painted === this.painted) this.draw();
    } catch (error) {
      this.first = null;
      this.unanswered(error.message);
    }
  }

  // The network says nothing of a changed picture, and what it said of the picture before stays.
  unanswered(why) {
    this.result = this.painted.changed ? null : this.before;
    this.draw();
    this.loading.say(why);
  }

  // Asks about a picture, painted, with some pixels. An answer counts if no other picture was given meanwhile.
  async ask(painted, pixels, take) {
    if (painted !== this.painted) return;
    const result = await this.network.run(pixels, this.size);
    if (!result || painted !== this.painted) return;
    take(result);
    this.root.dataset.milliseconds = result.milliseconds.toFixed(1);
  }

  // The first answer about a new picture. The question becomes: its most probable class against the second one.
  met(result) {
    Object.assign(this, { before: result, result });
    const first = rivalOf(result.logits, []);
    this.change({ targets: [first], foils: [rivalOf(result.logits, [first])], contrast: "among" });
  }

  // The maps of all classes by the chosen method.
  mapsOf(result) { return result.maps[this.header.methods[this.state.method].output]; }

  // The map of an answer, at the size of the picture.
  fullMap(result = this.result) {
    const { contrast, targets, foils } = this.state, { logits, height, width } = result;
    const weights = CONTRASTS[contrast](logits, targets, foils);
    return upsampled(mapOfWeights(weights, this.mapsOf(result), height * width), height, width, this.size, this.size);
  }

  // What the targets are set against. It is that of the picture before also after a change.
  against() { return against(this.before.logits, this.state.targets, this.state.foils); }

  draw() {
    const { header, state, before, result, painted } = this, names = header.network.classes;
    this.painting.draw();
    this.drawMap();
    this.drawNumbers();
    this.drawMenus();
    this.classes.update(state, (result ?? before)?.logits ?? null, result !== null);
    this.parts?.update({ targets: state.targets, against: this.against(), before, now: result, map: this.fullMap(before), trait: painted.trait });
    this.code.textContent = python(header, before ? state : unasked(state), { ...this.picture, painted: painted.changed });
    if (before) this.root.dataset.explains = state.targets.map(s => names[s]).join(" or ");
    else delete this.root.dataset.explains;
  }

  // The map over the picture, or the picture alone if the network has not seen it as it is.
  drawMap() {
    const { header, state, result, painted: { pixels }, size } = this;
    const map = result && this.fullMap(), text = result ? question(header, state, result.logits)
      : `What will the network say of ${this.before ? "the changed" : "your"} picture?`;
    paint(this.map, result ? overlaid(pixels, map, largest(map), state.opacity / 100, header.colours) : pixels, size, size);
    this.map.setAttribute("aria-label", result ? `Map: ${text}` : "No map yet");
    this.question.textContent = text;
    this.surer.node.hidden = !result;
    if (result) this.surer.update({ state, result, maps: this.mapsOf(result), pixels, size, colours: header.colours });
  }

  drawNumbers() {
    const { before, header, state } = this;
    this.terms.textContent = before ? terms(header.network.classes, state.targets, this.against()) : "";
    for (const [when, answer] of [["before", before], ["now", this.result]]) {
      const found = answer && numbers(answer.logits, state.targets, this.against());
      for (const [key, , written] of QUANTITIES) this.cells.get(`${key}-${when}`).textContent = found ? written(found[key]) : "–";
    }
  }

  drawMenus() {
    const { header, state } = this, { contrasts, methods } = header;
    this.contrast.update(contrastsFor(header, state.targets).map(key => [key, contrasts[key].title]), state.contrast);
    this.contrast.node.querySelectorAll("option").forEach(option => {
      option.disabled = contrasts[option.value].foils && !state.foils.length;
    });
    this.about.textContent = `${methods[state.method].about} Contrast: ${contrasts[state.contrast].about}.`;
    this.method.update(Object.entries(methods).map(([key, { title }]) => [key, title]), state.method);
    this.opacity.control.value = state.opacity;
  }

  async copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
      this.said.textContent = done;
    } catch {  // the browser does not allow it: show the text, so that the reader can copy it
      const lines = text === this.code.textContent;
      if (lines) this.details.open = true;
      this.said.textContent = `Copying is not allowed here: ${lines ? "the lines are below." : text}`;
    }
  }

  async save() {
    const { header, state, result } = this, { contrasts, methods, network } = header;
    if (!result) {
      this.said.textContent = "There is no map to save yet: load the network first.";
      return;
    }
    const found = numbers(result.logits, state.targets, this.against());
    const lines = [`${network.title}, ${methods[state.method].title}, contrast: ${contrasts[state.contrast].title}`,
      `p = ${percent(found.probability)}, log-odds ${signed(found.logOdds)}`, ...this.code.textContent.split("\n")];
    const picture = await composed(this.question.textContent, [{ canvas: this.painting.canvas, lines: [this.picture.title] }, { canvas: this.map, lines }]);
    const link = element("a", { href: URL.createObjectURL(picture), download: "why.png" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    this.said.textContent = "The picture is saved.";
  }
}

const bytesOf = text => Uint8Array.from(atob(text), character => character.charCodeAt(0));
