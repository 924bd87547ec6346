// A picture of the reader: from a file of any kind to the square of pixels that a network takes. Nothing leaves the page.

import { centreCrop } from "./resize.js";

const MOST = 2 ** 24; // pixels of a canvas that all browsers can hold
const LONGEST = 20; // times the shorter side

export class NoPicture extends Error {}

// The pixels (RGBA, size x size) of a file or blob.
export async function pixelsOfFile(file, network) {
  const name = file.name || "What you gave";
  if (file.type && !file.type.startsWith("image/")) throw new NoPicture(`${name} is not a picture: choose a JPEG, PNG or WebP.`);
  let bitmap;
  try {
    bitmap = await decoded(file);
  } catch {
    throw new NoPicture(`${name} is not a picture that this browser can read: save it as JPEG, PNG or WebP.`);
  }
  const { width, height } = bitmap;
  try {
    if (Math.max(width, height) > LONGEST * Math.min(width, height)) {
      throw new NoPicture(`${name} has ${width} × ${height} pixels: cut a wider part out of it.`);
    }
    return centreCrop(onWhite(bitmap), width, height, network);
  } catch (error) {
    if (error instanceof NoPicture) throw error;
    throw new NoPicture(`${name} has ${width} × ${height} pixels, too many for this device: save it smaller.`);
  } finally {
    bitmap.close();
  }
}

// Upright, and with the numbers that are in the file, as Python reads it. Huge photographs are made smaller by the browser.
async function decoded(file) {
  const options = { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "default" };
  const whole = await createImageBitmap(file, options);
  if (whole.width * whole.height <= MOST) return whole;
  const scale = Math.sqrt(MOST / (whole.width * whole.height));
  const smaller = await createImageBitmap(whole, { resizeWidth: Math.floor(whole.width * scale),
    resizeHeight: Math.floor(whole.height * scale), resizeQuality: "high" });
  whole.close();
  return smaller;
}

function onWhite(bitmap) {
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
}

// The first picture of a paste or a drop, or null.
export const pictureIn = transfer =>
  [...(transfer?.files ?? [])][0] ?? [...(transfer?.items ?? [])].find(item => item.kind === "file")?.getAsFile() ?? null;
