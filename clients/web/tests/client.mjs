// The client under test: the folder TEXTAPP_WEB has the modules and the cores, as apps have them. TEXTAPP_KIND is one of
// plain, simd, relaxed and wasm2js.
import {readFile} from 'node:fs/promises';
import {pathToFileURL} from 'node:url';

export const kind = process.env.TEXTAPP_KIND;
export const web = pathToFileURL(`${process.env.TEXTAPP_WEB}/`);
export const SAMPLES = new URL('../../../tests/samples/', import.meta.url);

const client = await import(new URL(kind === 'wasm2js' ? 'without-wasm.js' : 'textapp.js', web));
const core = kind === 'wasm2js' ? {} : {wasm: await WebAssembly.compile(await readFile(new URL(`textapp-${kind}.wasm`, web)))};

export const {TextappError} = client;

/** Loads a bundle into the kind of core that is tested. */
export function load(source, options = {}) {
  return client.load(source, {...core, ...options});
}

/** The files of a sample bundle. */
export async function sample(name, files = []) {
  const folder = new URL(`${name}/bundle/`, SAMPLES);
  const description = JSON.parse(await readFile(new URL('bundle.json', folder), 'utf8'));
  const names = ['bundle.json', ...Object.keys(description.sha256), ...files];
  const contents = names.map(async file => [file, new Uint8Array(await readFile(new URL(file, folder)))]);
  return Object.fromEntries(await Promise.all(contents));
}
