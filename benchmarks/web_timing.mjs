// Times the core in JavaScript engines, in Node and in pages; benchmarks/web.py is the caller. All contestants compute
// in turn, so that a busy machine slows all of them.

const SAMPLE = 0.25; // milliseconds that a sample lasts at least: clocks of isolated pages count 0.005
const WARM = 400; // milliseconds of calls before the first sample, in which engines optimize
const TURN = 400; // milliseconds of a contestant in a round, then no sample is added
const LEAST = 5; // samples
const LOADS = 5;

const percentile = (numbers, share) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * share)];
const median = numbers => percentile(numbers, 0.5);

/** A model in the core: `run` computes the logits of token ids, `predict` a whole text. */
async function core(Model, files, name, instantiate) {
  let exports, model;
  const loads = [];
  for (let number = 0; number < LOADS; number++) {
    const start = performance.now();
    exports = await instantiate();
    model = new Model(files, exports);
    loads.push(performance.now() - start);
  }
  exports.text(1 << 14); // so that what is taken now stays where it is
  const longest = 512, ids = exports.take(4 * longest), inputs = exports.take(4), logits = exports.take(64), weights = exports.take(4 * longest);
  const {memory} = exports;
  new Uint32Array(memory.buffer, inputs, 1)[0] = ids;
  const run = tokens => {
    new Int32Array(memory.buffer, ids, tokens.length).set(tokens);
    if (exports.run(inputs, tokens.length, logits, weights)) throw new Error(`${name}: does not run`);
    return [...new Float32Array(memory.buffer, logits, exports.logit_count())];
  };
  return {name, kernel: model.kernel, load: median(loads), run, predict: text => model.predict(text)};
}

/** The core of each file in a folder: name -> how to make an instance. */
export async function cores(folder, names, files, read) {
  const {Model} = await import(new URL('model.js', folder));
  const found = [];
  for (const name of names) {
    const url = new URL(name, folder);
    if (name.endsWith('.js')) {
      const {default: instantiate} = await import(url);
      found.push(await core(Model, files, name, instantiate));
      continue;
    }
    const bytes = await read(url);
    if (WebAssembly.validate(bytes)) {
      found.push(await core(Model, files, name, async () => (await WebAssembly.instantiate(bytes, {})).instance.exports));
    }
  }
  return found;
}

/** A file of TFLite in LiteRT.js, which must have been loaded. */
export async function litert({loadAndCompile, Tensor}, content, length) {
  const start = performance.now();
  const model = await loadAndCompile(content, {accelerator: 'wasm'});
  const load = performance.now() - start, signature = `tokens_${length}`;
  const run = async tokens => {
    const token_ids = new Tensor(Int32Array.from(tokens), [1, length]);
    const outputs = await model.run(signature, {token_ids});
    const logits = [...outputs.logits.toTypedArray()];
    for (const tensor of [token_ids, ...Object.values(outputs)]) tensor.delete();
    return logits;
  };
  return {name: 'LiteRT.js', kernel: '', load, run};
}

/** The times of a call in samples, in milliseconds: of 50 and 95 of 100. A sample has as many calls as last long enough. */
async function timed(call, inputs, count) {
  const samples = [];
  let calls = 1, next = 0;
  for (let warm = performance.now(), end = warm + WARM; warm < end; ) {
    const start = warm;
    for (let number = 0; number < calls; number++) await call(inputs[next++ % inputs.length]);
    warm = performance.now();
    if (warm - start < SAMPLE) calls *= 2;
  }
  const last = performance.now() + TURN;
  while (samples.length < LEAST || (samples.length < count && performance.now() < last)) {
    const start = performance.now();
    for (let number = 0; number < calls; number++) await call(inputs[next++ % inputs.length]);
    samples.push((performance.now() - start) / calls);
  }
  return {p50: median(samples), p95: percentile(samples, 0.95)};
}

/**
 * Times all contestants.
 *
 * @param rows lists of token ids
 * @param texts texts
 * @return of each contestant its name, kernel, load time, logits of the first row, and the times of a call in each
 *   round, all in milliseconds
 */
export async function measure(contestants, rows, texts, rounds, count) {
  const results = [];
  for (const {name, kernel, load, run, predict} of contestants) {
    results.push({name, kernel, load, logits: await run(rows[0]), run: [], predict: predict ? [] : null});
  }
  for (let round = 0; round < rounds; round++) {
    for (const [number, {run, predict}] of contestants.entries()) {
      results[number].run.push(await timed(run, rows, count));
      if (predict) results[number].predict.push(await timed(predict, texts, count));
    }
  }
  return results;
}

if (globalThis.process?.argv[1]) {
  const {readFileSync, readdirSync} = await import('node:fs');
  const {pathToFileURL} = await import('node:url');
  const task = JSON.parse(readFileSync(process.argv[2], 'utf8'));
  const bundle = pathToFileURL(`${task.bundle}/`), read = url => new Uint8Array(readFileSync(url));
  const files = Object.fromEntries(readdirSync(bundle).map(name => [name, read(new URL(name, bundle))]));
  const contestants = await cores(pathToFileURL(`${task.folder}/`), task.names, files, read);
  console.log(JSON.stringify(await measure(contestants, task.rows, task.texts, task.rounds, task.count)));
}
