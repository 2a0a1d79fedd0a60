// Where the files of a bundle come from: from inside the single page, from beside the page, or dropped onto it.

const LARGEST_FILE = 256 * 1024 * 1024; // bytes

/** A bundle cannot be read; `name` is a key of the words of the page, `file` the file that is wrong. */
export class FilesError extends Error {
  constructor(name, file = "") {
    super(name);
    this.file = file;
  }
}

/** The engine and the bundle inside the single file: name -> bytes. */
export async function unpacked(inside) {
  const packed = fromBase91(inside.textContent, Number(inside.dataset.bytes));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip")); // checks its CRC-32
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let start = bytes.indexOf(10) + 1;
  const sizes = JSON.parse(new TextDecoder().decode(bytes.subarray(0, start)));
  return Object.fromEntries(sizes.map(([name, size]) => [name, bytes.slice(start, (start += size))]));
}

/** Bytes from pairs of 91 characters, 13 bits a pair. `textapp/export/clients/page.py` writes them. */
function fromBase91(content, size) {
  const bytes = new Uint8Array(size);
  const digit = (code) => code - 33 - (code > 38) - (code > 60) - (code > 62); // without & < >
  let held = 0;
  let bits = 0;
  let first = -1;
  for (let place = 0, written = 0; written < size; place += 1) {
    const code = content.charCodeAt(place);
    if (code === 10) continue;
    if (Number.isNaN(code)) throw new Error("the page is cut");
    if (first < 0) {
      first = digit(code);
      continue;
    }
    held |= (first * 91 + digit(code)) << bits;
    first = -1;
    for (bits += 13; bits >= 8 && written < size; bits -= 8) {
      bytes[written++] = held & 255;
      held >>>= 8;
    }
  }
  return bytes;
}

/** The files of the bundle beside the page. */
export async function fetched(folder) {
  const get = async (name) => {
    const answer = await fetch(folder + name);
    if (!answer.ok) throw new Error(`${folder}${name}: ${answer.status} ${answer.statusText}`);
    return new Uint8Array(await answer.arrayBuffer());
  };
  const description = await get("bundle.json");
  const names = namesIn(description);
  const contents = await Promise.all(names.map(get));
  return Object.fromEntries([["bundle.json", description], ...names.map((name, number) => [name, contents[number]])]);
}

/** The files of the one bundle among files with paths: name -> bytes. */
export async function bundleAmong(entries) {
  const depth = (entry) => entry.path.split("/").length;
  const found = entries.filter((entry) => entry.path.split("/").at(-1) === "bundle.json");
  const least = Math.min(...found.map(depth));
  const highest = found.filter((entry) => depth(entry) === least);
  if (highest.length === 0) throw new FilesError("noBundle");
  if (highest.length > 1) throw new FilesError("twoBundles");
  const folder = highest[0].path.slice(0, -"bundle.json".length);
  const description = await bytesOf(highest[0].file, "bundle.json");
  const read = [["bundle.json", description]];
  const names = new Set(namesIn(description));
  for (const { path, file } of entries) {
    const name = path.slice(folder.length);
    if (path.startsWith(folder) && names.has(name)) read.push([name, await bytesOf(file, name)]);
  }
  return Object.fromEntries(read);
}

/** The names of files in bundle.json; none if it is broken, which the engine will say better. */
function namesIn(description) {
  try {
    return Object.keys(JSON.parse(new TextDecoder().decode(description)).sha256).filter((name) => name !== "bundle.json");
  } catch {
    return [];
  }
}

async function bytesOf(file, name) {
  if (file.size > LARGEST_FILE) throw new FilesError("tooLarge", name);
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new FilesError("unreadable", name);
  }
}

/** The files of dropped items, with the folders in them: [{ path, file }]. */
export async function filesOf(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const roots = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile()); // only now: later the items are gone
  const found = [];
  const visit = async (entry, path) => {
    if (entry instanceof File) found.push({ path: entry.name, file: entry });
    else if (entry.isFile) found.push({ path, file: await new Promise((done, no) => entry.file(done, no)) });
    else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((done, no) => reader.readEntries(done, no)); // at most 100 a call
        if (some.length === 0) break;
        for (const one of some) await visit(one, `${path}/${one.name}`);
      }
    }
  };
  for (const root of roots) if (root !== null) await visit(root, root.name);
  return found;
}
