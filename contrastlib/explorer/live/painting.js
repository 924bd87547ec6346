// The picture as a canvas that is painted on with a mouse, a finger or the keyboard, and its tools.

import { paint } from "../drawing.js";
import { element } from "../elements.js";
import { button, labelled, menu, slider } from "./dom.js";

const TOOLS = [["blur", "blur"], ["grey", "grey"], ["colour", "a colour"], ["restore", "the picture itself"]];
const STEP = 8; // pixels that an arrow key moves the brush
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// A button that can have nothing to do. It keeps the focus then, which a disabled one would lose.
function optionalButton(title, action, attributes) {
  let possible = false;
  const node = button(title, () => { if (possible) action(); }, attributes);
  return { node, offer(on) { possible = on; node.setAttribute("aria-disabled", !on); } };
}

// A mouse and the keyboard always paint. A finger scrolls, until the reader lets it paint.
// host: painted() -> Painted, changed(), keep(sign)
export function painting(host) {
  const choice = { tool: "blur", radius: 16 };
  const canvas = element("canvas", { class: "live-paint", tabindex: 0, role: "img", width: 224, height: 224,
    "aria-label": "The picture. Paint with a pointer, or move the brush with the arrow keys and paint with the space bar." });
  const cursor = element("span", { class: "live-cursor", hidden: true });
  const colour = element("input", { type: "color", name: "colour", value: "#7a4a2b" });
  const colourNode = labelled("Colour", colour, { hidden: true });
  const tool = menu("Paint with", "tool", value => { choice.tool = value; colourNode.hidden = value !== "colour"; });
  const size = slider("Brush", "radius", [4, 48, 1], value => { choice.radius = value; place(); });
  const finger = button("Paint with a finger", () => allow(!allowed), { class: "live-finger", "aria-pressed": "false" });
  const before = optionalButton("Show before", () => { shown = !shown; draw(); }, { "aria-pressed": "false" });
  const undo = optionalButton("Undo", () => { host.painted().undo(); host.changed(); });
  const reset = optionalButton("Reset", () => { host.painted().reset(); host.changed(); });
  const keep = sign => button(`Keep ${sign}`, () => host.keep(sign, fill()));
  let pointer = null, at = [112, 112], shown = false, allowed = false;
  tool.update(TOOLS, choice.tool);
  size.control.value = choice.radius;

  const fill = () => host.painted().fill(choice.tool, colour.value);
  const point = event => {
    const box = canvas.getBoundingClientRect(), side = host.painted().size;
    return [((event.clientX - box.left) / box.width) * side, ((event.clientY - box.top) / box.height) * side];
  };

  function allow(on) {
    allowed = on;
    finger.setAttribute("aria-pressed", on);
    canvas.toggleAttribute("data-painted", on);
  }

  function place() {
    const side = host.painted()?.size ?? 224;
    cursor.style.left = `${(100 * at[0]) / side}%`;
    cursor.style.top = `${(100 * at[1]) / side}%`;
    cursor.style.width = `${(200 * choice.radius) / side}%`;
  }

  function dab(from, to) {
    host.painted().stroke(from, to, choice.radius, fill());
    host.changed();
  }

  canvas.addEventListener("pointerdown", event => {
    if (event.button || !event.isPrimary || (event.pointerType === "touch" && !allowed)) return;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    host.painted().begin();
    at = point(event);
    dab(at, at);
  });
  canvas.addEventListener("pointermove", event => {
    if (pointer !== null && event.pointerId !== pointer) return;  // a second finger
    const to = point(event);
    if (pointer !== null) dab(at, to);
    at = to;
    cursor.hidden = event.pointerType === "touch";
    place();
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    canvas.addEventListener(end, event => { if (event.pointerId === pointer) pointer = null; });
  }
  canvas.addEventListener("pointerleave", () => { cursor.hidden = true; });
  canvas.addEventListener("blur", () => { cursor.hidden = true; });
  canvas.addEventListener("keydown", event => {
    const move = MOVES[event.key], side = host.painted().size;
    if (move) at = at.map((value, axis) => Math.min(side, Math.max(0, value + STEP * move[axis])));
    else if (event.key === " ") {
      host.painted().begin();
      dab(at, at);
    } else return;
    event.preventDefault();
    cursor.hidden = false;
    place();
  });

  function draw() {
    const painted = host.painted();
    const { changed } = painted;
    if (!changed) shown = false;
    paint(canvas, shown ? painted.original : painted.pixels, painted.size, painted.size);
    before.offer(changed);
    reset.offer(changed);
    undo.offer(painted.history.length > 0);
    before.node.setAttribute("aria-pressed", shown);
  }

  // The picture as it is after a change.
  function showNow() {
    shown = false;
    draw();
  }

  return {
    canvas, draw, showNow,
    node: element("div", { class: "live-canvas" }, canvas, cursor),
    tools: element("div", { class: "live-tools" }, finger, tool.node, colourNode, size.node, keep("positive"), keep("negative"), undo.node, reset.node, before.node),
  };
}
