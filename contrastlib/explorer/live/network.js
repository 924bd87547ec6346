// The network as the page knows it: it is loaded when the reader asks, in a worker, and then answers pictures.

const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];

// Why a network cannot run in this page, or null.
export function hindrance(place = globalThis) {
  if (place.location?.protocol === "file:") {
    return "This page was opened as a file, and a browser loads no network from a file: serve the folder, for example with python -m http.server.";
  }
  if (typeof place.WebAssembly !== "object" || !place.Worker) {
    return "This browser has no WebAssembly, or its settings forbid it: the network cannot run here.";
  }
  if (!place.WebAssembly.validate(Uint8Array.from(SIMD))) return "This browser is too old for the network: it lacks WebAssembly's SIMD.";
  return null;
}

// An error of the worker in words for the reader.
export function reason(message) {
  if (/memory|allocat|RangeError|std::bad_alloc/i.test(message)) {
    return "There is not enough memory for the network: close other pages, and load it again.";
  }
  if (/fetch|network|is not there|load failed/i.test(message)) return `The network could not be loaded: ${message}. Try again.`;
  return `The network cannot run here: ${message}.`;
}

export class Network {
  // base: address of the folder of the files; about: the network's record in the header
  constructor(base, about) {
    Object.assign(this, { base, about, worker: null, ready: false, waiting: null, next: null });
  }

  get loading() { return this.worker !== null && !this.ready; }

  // Loads the files; progress(fraction). Rejects with a sentence for the reader, or with null if it was aborted.
  // ended(error) is called if the worker fails later: the network has to be loaded again then.
  load(progress, ended) {
    const why = hindrance();
    if (why) return Promise.reject(new Error(why));
    const { files, outputs, bytes } = this.about;
    const address = file => new URL(file, this.base).href;
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    return new Promise((resolve, reject) => {
      this.stop = () => reject(null);
      const fail = message => {
        const error = new Error(reason(message)), ran = this.ready;
        this.close(error);
        ran ? ended(error) : reject(error);
      };
      this.worker.onerror = event => fail(event.message ?? "its script did not load");
      this.worker.onmessage = ({ data }) => {
        if (data.progress) progress(Math.min(1, data.progress / bytes));
        else if (data.ready) { this.ready = true; resolve(); }
        else if ("error" in data) fail(data.error);
        else this.answered(data);
      };
      this.worker.postMessage({ load: { outputs, ...Object.fromEntries(Object.entries(files).map(([key, file]) => [key, address(file)])) } });
    });
  }

  abort() {
    this.close();
    this.stop?.();
  }

  // Ends the worker. Whoever waits for an answer gets the error.
  close(error = null) {
    this.worker?.terminate();
    for (const request of [this.waiting, this.next]) request?.reject(error);
    Object.assign(this, { worker: null, ready: false, waiting: null, next: null });
  }

  // What the network says of pixels. While it is busy, only the latest pixels wait; earlier ones resolve to null.
  run(pixels, size) {
    return new Promise((resolve, reject) => {
      this.next?.resolve(null);
      this.next = { pixels: pixels.slice(), size, resolve, reject };
      if (!this.waiting) this.send();
    });
  }

  send() {
    this.waiting = this.next;
    this.next = null;
    if (!this.waiting) return;
    const { pixels, size } = this.waiting;
    this.worker.postMessage({ pixels, size });
  }

  answered(data) {
    this.waiting.resolve(data);
    this.send();
  }
}
