// Text to labels and spans in browsers, workers and Node: a bundle in the fastest core that this engine runs.
import {isBytes, Model, TextappError} from './model.js';
import {address, bytesOf, filesOf} from './sources.js';

export {TextappError};

// Written out one by one, so that bundlers find the files.
const CORES = {
  relaxed: () => new URL('textapp-relaxed.wasm', import.meta.url),
  simd: () => new URL('textapp-simd.wasm', import.meta.url),
  plain: () => new URL('textapp-plain.wasm', import.meta.url),
};
const compiled = new Map(); // address of a core -> promise of its module

/**
 * Loads a bundle.
 *
 * @param source an object from file name to Uint8Array; File objects, as of a dropped folder; or the URL of a bundle's
 *   folder, in Node also its path
 * @param options `wasm`: the core, as bytes, a URL or a WebAssembly.Module; by default the file beside this one that is
 *   the fastest here. `selftest`: whether to fetch selftest.json too.
 */
export async function load(source, {wasm, selftest = false} = {}) {
  const [files, module] = await Promise.all([filesOf(source, selftest), moduleOf(wasm)]);
  const instance = await WebAssembly.instantiate(module, {});
  return new Model(files, instance.exports);
}

/** The fastest kind of the core that this engine runs: 'relaxed', 'simd' or 'plain'. */
export function kind() {
  // A function of one vector: i8x16.relaxed_swizzle, and i8x16.popcnt.
  const vector = code => Uint8Array.of(
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, code.length + 4, 1, code.length + 2, 0, ...code, 11);
  const splat = [65, 0, 253, 15];
  if (WebAssembly.validate(vector([...splat, ...splat, 253, 128, 2]))) return 'relaxed';
  return WebAssembly.validate(vector([...splat, 253, 98])) ? 'simd' : 'plain';
}

async function moduleOf(wasm) {
  if (typeof WebAssembly !== 'object') {
    throw new TextappError('unsupported', 'there is no WebAssembly here; import load from without-wasm.js');
  }
  if (wasm instanceof WebAssembly.Module) return wasm;
  if (isBytes(wasm) || wasm instanceof ArrayBuffer) return compile(wasm, 'wasm');
  const url = wasm === undefined ? CORES[kind()]() : address(wasm);
  if (!compiled.has(url.href)) {
    const module = bytesOf(url).then(bytes => compile(bytes, url.href));
    compiled.set(url.href, module);
    module.catch(() => compiled.delete(url.href));
  }
  return compiled.get(url.href);
}

async function compile(bytes, name) {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    const policy = "a page's policy must have script-src 'wasm-unsafe-eval', or import load from without-wasm.js";
    throw new TextappError('unsupported', `${name}: cannot be compiled here (${policy}): ${error.message}`);
  }
}
