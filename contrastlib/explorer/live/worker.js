// The worker: it loads the runtime and the network, and runs it. The page stays responsive meanwhile.

let session = null, runtime = null, names = null;

onmessage = async ({ data }) => {
  try {
    if (data.load) await load(data.load);
    else await run(data);
  } catch (error) {
    postMessage({ error: String(error?.message ?? error) });
  }
};

async function load({ script, wasm, network, outputs }) {
  let received = 0;
  const counted = bytes => postMessage({ progress: received += bytes });
  const [binary, model] = await Promise.all([fetched(wasm, counted), fetched(network, counted)]);
  runtime = await import(script);
  Object.assign(runtime.env.wasm, { wasmBinary: binary.buffer,
    numThreads: self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1 });
  session = await runtime.InferenceSession.create(model, { executionProviders: ["wasm"] });
  names = outputs;
  postMessage({ ready: true });
}

// The bytes of a file, from the browser's cache where it has them: their address changes with their content.
async function fetched(address, counted) {
  const answer = await fetch(address, { cache: "force-cache" });
  if (!answer.ok) throw new Error(`${address} is not there (${answer.status})`);
  const parts = [];
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    counted(value.length);
  }
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => { bytes.set(part, at); return at + part.length; }, 0);
  return bytes;
}

async function run({ pixels, size }) {
  const start = performance.now(), planes = new Float32Array(3 * size * size);
  for (let i = 0; i < size * size; i++) {
    for (let channel = 0; channel < 3; channel++) planes[channel * size * size + i] = pixels[4 * i + channel];
  }
  const found = await session.run({ pixels: new runtime.Tensor("float32", planes, [1, 3, size, size]) });
  const [logits, ...maps] = names.map(name => found[name]);
  const [height, width] = maps[0].dims.slice(2);
  postMessage({ logits: logits.data, maps: maps.map(each => each.data), height, width,
    milliseconds: performance.now() - start });
}
