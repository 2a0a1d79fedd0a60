// Where the files of a bundle and of the core come from.
import {namesIn, TextappError} from './model.js';

/**
 * The files of a bundle, from where it is.
 *
 * @param source an object from file name to Uint8Array; File objects, as of a dropped folder; or the URL of a bundle's
 *   folder, in Node also its path
 * @param selftest whether to fetch selftest.json from a URL too
 * @return name -> bytes
 */
export async function filesOf(source, selftest) {
  if (typeof source === 'string' || source instanceof URL) return filesAt(address(source), selftest);
  if (source !== null && typeof source === 'object' && Symbol.iterator in source) {
    const pairs = await Promise.all(Array.from(source, async file => [file.name, new Uint8Array(await file.arrayBuffer())]));
    return Object.fromEntries(pairs);
  }
  if (source !== null && typeof source === 'object') return source;
  throw new TextappError('argument', `load: must get files or the URL of a bundle. Received: ${String(source)}`);
}

/** Fetches bundle.json, then the files that it names. */
async function filesAt(folder, selftest) {
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  const description = await bytesOf(new URL('bundle.json', folder));
  const names = namesIn(description).filter(name => selftest || name !== 'selftest.json');
  const contents = await Promise.all(names.map(name => bytesOf(new URL(name, folder))));
  return {...Object.fromEntries(names.map((name, number) => [name, contents[number]])), 'bundle.json': description};
}

/** The bytes at a URL, also at one of a file in Node. */
export async function bytesOf(url) {
  if (url.protocol === 'file:' && globalThis.process?.getBuiltinModule) {
    const {readFile} = globalThis.process.getBuiltinModule('node:fs/promises');
    try {
      return new Uint8Array(await readFile(url));
    } catch (error) {
      throw new TextappError('file', `${url.href}: cannot be read: ${error.message}`);
    }
  }
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new TextappError('file', `${url.href}: cannot be fetched: ${error.message}`);
  }
  if (!response.ok) throw new TextappError('file', `${url.href}: cannot be fetched: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** A URL: relative to that of the page or worker; in Node a path becomes one. */
export function address(url) {
  const file = globalThis.process?.getBuiltinModule?.('node:url').pathToFileURL;
  const isPath = file && !globalThis.location && typeof url === 'string' && !/^[a-z][a-z0-9+.-]+:/i.test(url);
  try {
    return isPath ? file(url) : new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    throw new TextappError('argument', `${String(url)}: is no URL`);
  }
}
