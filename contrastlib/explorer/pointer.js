// The marker that the pointer and the arrow keys move over all maps, as a position [x, y] from 0 to 1.

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const inside = value => Math.min(1, Math.max(0, value));

// Calls moved with the position, or with null where the pointer leaves. size() is [width, height] in pixels.
export function trackPointer(canvas, size, position, moved) {
  const point = event => {
    const box = canvas.getBoundingClientRect();
    moved([inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)]);
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", event => event.pointerType === "mouse" && moved(null));
  canvas.addEventListener("keydown", event => {
    if (event.key === "Escape") moved(null);
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const distance = event.shiftKey ? size().map(side => 1 / side) : [1 / 32, 1 / 32];
    moved((position() ?? [0.5, 0.5]).map((value, axis) => inside(value + step[axis] * distance[axis])));
  });
}

// The pixel [x, y] of a position in a picture.
export const pixelAt = (position, { width, height }) =>
  [width, height].map((side, axis) => Math.min(side - 1, Math.floor(position[axis] * side)));

export function placeCross(cross, position) {
  cross.hidden = !position;
  if (!position) return;
  cross.style.left = `${100 * position[0]}%`;
  cross.style.top = `${100 * position[1]}%`;
}
