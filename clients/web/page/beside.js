// What a page in the folder of the web client starts with: the bundle and the core beside it.
import {namesIn} from '../model.js';
import {load} from '../textapp.js';
import {FilesError} from './files.js';

const FOLDER = 'bundle/';

/** A promise of the files of the first bundle: name -> bytes. */
export async function firstBundle() {
  const get = async name => {
    const response = await fetch(FOLDER + name, {cache: 'no-cache'}); // all files of one export
    if (!response.ok) throw new FilesError('unreadable', FOLDER + name);
    return new Uint8Array(await response.arrayBuffer());
  };
  const description = await get('bundle.json'), names = namesIn(description);
  const contents = await Promise.all(names.map(get));
  return Object.fromEntries([['bundle.json', description], ...names.map((name, number) => [name, contents[number]])]);
}

/** A promise of the model of a bundle. */
export function modelOf(files) {
  return load(files);
}
