// The files of a bundle that are dropped onto the page, or chosen.
import {namesIn} from '../model.js';

const LARGEST_FILE = 256 * 1024 * 1024; // bytes

/** The files of a bundle cannot be found or read. `key` says how, in the words of words.js; `file` is the name of one. */
export class FilesError extends Error {
  constructor(key, file = '') {
    super(key);
    this.key = key;
    this.file = file;
  }
}

/** The files of the one bundle among files with paths, [{path, file}]: name -> bytes. */
export async function bundleAmong(entries) {
  const parts = path => path.split('/');
  const found = entries.filter(({path}) => parts(path).at(-1) === 'bundle.json');
  if (found.length === 0) throw new FilesError('noBundle');
  const least = Math.min(...found.map(({path}) => parts(path).length));
  const highest = found.filter(({path}) => parts(path).length === least);
  if (highest.length > 1) throw new FilesError('twoBundles');
  const folder = highest[0].path.slice(0, -'bundle.json'.length);
  const description = await bytesOf(highest[0].file, 'bundle.json');
  const files = new Map([['bundle.json', description]]);
  const names = new Set(namesIn(description));
  for (const {path, file} of entries) {
    const name = path.slice(folder.length);
    if (path.startsWith(folder) && names.has(name)) files.set(name, await bytesOf(file, name));
  }
  return Object.fromEntries(files);
}

/** What was dropped, with all files in dropped folders: [{path, file}]. */
export async function filesOf(transfer) {
  const items = [...transfer.items].filter(item => item.kind === 'file');
  const roots = items.map(item => item.webkitGetAsEntry() ?? item.getAsFile()); // at once: the items do not last
  const found = [];
  const visit = async (entry, path) => {
    if (entry instanceof File) {
      found.push({path, file: entry});
    } else if (entry.isFile) {
      found.push({path, file: await new Promise((done, failed) => entry.file(done, failed))});
    } else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((done, failed) => reader.readEntries(done, failed)); // 100 at most
        if (some.length === 0) break;
        for (const one of some) await visit(one, `${path}/${one.name}`);
      }
    }
  };
  for (const root of roots) {
    try {
      await visit(root, root.name);
    } catch {
      throw new FilesError('unreadable', root.name);
    }
  }
  return found;
}

async function bytesOf(file, name) {
  if (file.size > LARGEST_FILE) throw new FilesError('tooLarge', name);
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new FilesError('unreadable', name);
  }
}
