// A bundle in the core: from the bytes of its files to predictions. textapp.js and without-wasm.js find the files.

const STATUSES = ['ok', 'memory', 'bundle', 'unsupported', 'argument', 'too-long', 'selftest']; // of textapp.h
const TASKS = ['classification', 'multilabel', 'tagging'];
const OFFSETS = {bytes: 0, 'code-points': 1 << 0, utf16: 1 << 1};
const CONFIDENCE = 1 << 2;
const KERNELS = [['relaxed', 1 << 17], ['simd', 1 << 16]];
const REPLACEMENT = 0xfffd;
const LONGEST = 0xfffffff; // bytes of a text that the core reads

/** A call failed. `status` is the kind of the failure; textapp.d.ts lists the kinds. */
export class TextappError extends Error {
  constructor(status, message) {
    super(message);
    this.name = 'TextappError';
    this.status = status;
  }
}

/** A loaded bundle. `load` makes it. */
export class Model {
  #core;
  #buffer;
  #bytes;
  #view;
  #hasSelftest;

  /**
   * @param files name -> bytes of the files of a bundle
   * @param core the exports of an instance of the core that no other model has
   */
  constructor(files, core) {
    this.#core = core;
    this.#load(files);
    this.#hasSelftest = Object.hasOwn(files, 'selftest.json');
    const features = core.features() >>> 0;
    this.kernel = KERNELS.find(([, bit]) => features & bit)?.[0] ?? 'plain';
    this.task = TASKS[core.task()];
    this.labels = Object.freeze(Array.from({length: core.label_count()}, (_, number) => this.#string(core.label(number))));
    Object.freeze(this);
  }

  /** Predicts one text. textapp.d.ts describes the result. */
  predict(text, {offsets = 'utf16', confidence = false} = {}) {
    if (typeof text !== 'string') throw wrong(`predict: the text must be a string. Received: ${typeof text}`);
    if (!Object.hasOwn(OFFSETS, offsets)) {
      throw wrong(`predict: \`offsets\` must be one of ${Object.keys(OFFSETS).join(', ')}. Received: ${String(offsets)}`);
    }
    const core = this.#open(), size = text.length > LONGEST ? text.length : utf8Length(text);
    if (size > LONGEST) {
      throw new TextappError('too-long', `the text has more than ${LONGEST} bytes of UTF-8; cut it into parts`);
    }
    const place = this.#room(core, size);
    writeUtf8(text, this.#memory(), place);
    const found = core.predict(size, OFFSETS[offsets] | (confidence ? CONFIDENCE : 0)) >>> 0;
    if (!found) throw this.#failure(core.status());
    this.#memory();
    return this.task === 'tagging' ? this.#tags(found, text, offsets) : this.#labels(found);
  }

  /** Predicts the texts of selftest.json, and compares. Throws `TextappError` at the first difference. */
  selftest() {
    const core = this.#open();
    if (!this.#hasSelftest) throw wrong('selftest: needs selftest.json of the bundle; `load(url, {selftest: true})` fetches it');
    this.#room(core, 0);
    this.#check(core.selftest());
  }

  /** Gives the memory back, as soon as the engine collects it. The model is of no use afterwards. */
  free() {
    this.#core = this.#buffer = this.#bytes = this.#view = null;
  }

  #open() {
    if (!this.#core) throw wrong('the model was freed; load the bundle again');
    return this.#core;
  }

  /** The bytes of the core's memory, also after it has grown. */
  #memory() {
    const {buffer} = this.#core.memory;
    if (buffer !== this.#buffer) {
      this.#buffer = buffer;
      this.#bytes = new Uint8Array(buffer);
      this.#view = new DataView(buffer);
    }
    return this.#bytes;
  }

  #load(files) {
    const core = this.#core, names = Object.keys(files);
    const take = size => {
      const place = core.take(size) >>> 0;
      if (!place) throw new TextappError('memory', `no memory for the files of the bundle`);
      return place;
    };
    const table = take(names.length * 12); // textapp_file: name, data, size
    names.forEach((name, number) => {
      const data = files[name];
      if (!isBytes(data)) throw wrong(`${name}: the content of a file must be a Uint8Array`);
      const length = utf8Length(name), place = take(length + 1), content = take(data.length);
      writeUtf8(name, this.#memory(), place);
      this.#bytes[place + length] = 0;
      this.#bytes.set(data, content);
      [place, content, data.length].forEach((word, part) => {
        this.#view.setUint32(table + number * 12 + part * 4, word, true);
      });
    });
    this.#check(core.load(table, names.length));
  }

  #room(core, size) {
    const place = core.text(size) >>> 0;
    if (!place) throw new TextappError('memory', `no memory for a text of ${size} bytes`);
    return place;
  }

  #check(status) {
    if (status) throw this.#failure(status);
  }

  #failure(status) {
    return new TextappError(STATUSES[status], this.#string(this.#core.message()));
  }

  /** The string that ends with 0. */
  #string(place) {
    const bytes = this.#memory(), start = place >>> 0;
    return readUtf8(bytes, start, bytes.indexOf(0, start));
  }

  #word(place) {
    return this.#view.getUint32(place, true);
  }

  #part(place) {
    const start = this.#word(place);
    return readUtf8(this.#bytes, start, start + this.#word(place + 4));
  }

  // What follows reads the structures of textapp.h, where a pointer and size_t have 4 bytes.

  #labels(found) {
    const view = this.#view, count = this.#word(found + 4), probs = this.#word(found + 8), chosen = this.#word(found + 12);
    const answer = chosen
      ? {labels: this.labels.filter((_, number) => this.#bytes[chosen + number])}
      : {label: this.labels[this.#word(found)]};
    const pairs = Array.from({length: count}, (_, number) => [this.labels[number], view.getFloat64(probs + 8 * number, true)]);
    return {
      ...answer,
      probs: Object.fromEntries(pairs),
      tokens: this.#rows(found + 20, 32, place => {
        const weight = view.getFloat32(place + 16, true);
        return {...this.#token(place), weight: weight < 0 ? null : weight};
      }),
      truncated: view.getInt32(found + 36, true) !== 0,
    };
  }

  #tags(found, text, offsets) {
    const view = this.#view, index = indexer(text, offsets);
    return {
      spans: this.#rows(found + 28, 24, place => {
        const start = this.#word(place + 8), end = this.#word(place + 12), type = this.#part(place);
        const part = text.slice(index(start), index(end));
        return {type, text: part, start, end, ...certain(view.getFloat64(place + 16, true))};
      }),
      tokens: this.#rows(found + 20, 32, place => {
        const tag = this.labels[view.getInt32(place + 20, true)];
        return {...this.#token(place), tag, ...certain(view.getFloat64(place + 24, true))};
      }),
    };
  }

  #rows(place, size, read) {
    const first = this.#word(place + 4);
    return Array.from({length: this.#word(place)}, (_, number) => read(first + number * size));
  }

  #token(place) {
    return {text: this.#part(place), start: this.#word(place + 8), end: this.#word(place + 12)};
  }
}

/** Whether a value is a Uint8Array, also one of another frame or of a test's sandbox. */
export function isBytes(value) {
  return ArrayBuffer.isView(value) && value.BYTES_PER_ELEMENT === 1;
}

/** The names of the other files in bundle.json; none if it is broken: the core says what is wrong with it. */
export function namesIn(description) {
  let names;
  try {
    names = Object.keys(JSON.parse(readUtf8(description, 0, description.length)).sha256);
  } catch {
    return [];
  }
  return names.filter(name => /^[a-z]+\.[a-z]+$/.test(name) && name !== 'bundle.json');
}

function wrong(message) {
  return new TextappError('argument', message);
}

function certain(confidence) {
  return confidence < 0 ? {} : {confidence};
}

/** A function from an offset of a text, in code points or bytes, to its index in the string. */
function indexer(text, offsets) {
  if (offsets === 'utf16') return offset => offset;
  let index = 0, passed = 0;
  return offset => {
    if (offset < passed) index = passed = 0;
    while (passed < offset) {
      const point = pointAt(text, index);
      passed += offsets === 'bytes' ? width(point) : 1;
      index += point > 0xffff ? 2 : 1;
    }
    return index;
  };
}

// UTF-8 by hand, as Hermes has no TextDecoder. A lone surrogate is written as U+FFFD: both are one unit of UTF-16.

function pointAt(text, index) {
  const point = text.codePointAt(index);
  return point >= 0xd800 && point < 0xe000 ? REPLACEMENT : point;
}

function width(point) {
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

function utf8Length(text) {
  let length = text.length;
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) < 0x80) continue;
    const point = pointAt(text, index);
    length += width(point) - 1;
    if (point > 0xffff) index++, length--;
  }
  return length;
}

function writeUtf8(text, bytes, at) {
  for (let index = 0; index < text.length; index++) {
    const point = pointAt(text, index);
    if (point < 0x80) {
      bytes[at++] = point;
      continue;
    }
    const more = width(point) - 1;
    bytes[at++] = 0xff00 >> more + 1 & 0xff | point >> 6 * more;
    for (let shift = 6 * (more - 1); shift >= 0; shift -= 6) bytes[at++] = 0x80 | point >> shift & 0x3f;
    if (more === 3) index++;
  }
}

/** The string of bytes of UTF-8 from `at` to before `end`. Does not check them: the core has. */
export function readUtf8(bytes, at, end) {
  const points = [];
  let text = '';
  while (at < end) {
    let point = bytes[at++];
    if (point >= 0x80) {
      const more = point < 0xe0 ? 1 : point < 0xf0 ? 2 : 3;
      point &= 0x3f >> more;
      for (let count = more; count > 0; count--) point = point << 6 | bytes[at++] & 0x3f;
    }
    if (points.push(point) === 4096) text += String.fromCodePoint(...points.splice(0));
  }
  return text + String.fromCodePoint(...points);
}
