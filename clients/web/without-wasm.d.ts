import type {Files, Model} from './textapp.js';
export * from './textapp.js';

/** Loads a bundle into the core in JavaScript, from the same sources as `load` of textapp.js. */
export function load(source: Files | Iterable<File> | string | URL, options?: {selftest?: boolean}): Promise<Model>;
