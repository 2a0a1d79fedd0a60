// What the single page starts with: the bundle and the core inside it, as loader.js has unpacked them. In the single page
// it stands in place of beside.js.
import {Model} from '../model.js';

const {core, bundle} = document.getElementById('inside').files;
const compiled = WebAssembly.compile(core);

/** A promise of the files of the first bundle: name -> bytes. */
export async function firstBundle() {
  return bundle;
}

/** A promise of the model of a bundle. */
export async function modelOf(files) {
  const instance = await WebAssembly.instantiate(await compiled, {});
  return new Model(files, instance.exports);
}
