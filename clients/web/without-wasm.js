// Text to labels and spans where there is no WebAssembly: in React Native, and in pages whose policy forbids it. The core is
// JavaScript here, and needs several times as long.
import instantiate from './textapp-wasm2js.js';
import {Model, TextappError} from './model.js';
import {filesOf} from './sources.js';

export {TextappError};

/** Loads a bundle, as `load` of textapp.js does, but for its option `wasm`. */
export async function load(source, {selftest = false} = {}) {
  return new Model(await filesOf(source, selftest), instantiate());
}
