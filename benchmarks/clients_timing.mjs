// Times a bundle in JavaScript; benchmarks/clients_timing.py is the caller. In Node:
//
//     node clients_timing.mjs WEB BUNDLE < TEXTS
//
// prints microseconds of loading, and of each text. WEB is the folder of client web.

const WARM = 1000; // milliseconds of calls before the first time, in which engines optimize
const PASSES = 5; // over all texts

/** What is timed: name -> how to load it. Each gives `predict`, and `answer` of what that returns. */
export const makers = {
  /** Client web: from text to label or spans. */
  async textapp({web, bundle}) {
    const {load} = await import(new URL('textapp.js', web));
    const model = await load(bundle);
    return {predict: ({text}) => model.predict(text), answer: found => found.label ?? null};
  },

  /** MediaPipe's TextClassifier: from text to label. */
  async mediapipe({packages, file}) {
    const {FilesetResolver, TextClassifier} = await import(new URL('@mediapipe/tasks-text/text_bundle.mjs', packages));
    const wasm = await FilesetResolver.forTextTasks(new URL('@mediapipe/tasks-text/wasm', packages).href);
    const classifier = await TextClassifier.createFromModelPath(wasm, file.href);
    return {
      predict: ({text}) => classifier.classify(text),
      answer: found => found.classifications[0].categories[0].categoryName,
    };
  },

  /** LiteRT.js: from ids, padded to a length, to logits. */
  async litert({packages, file}) {
    const {loadLiteRt, loadAndCompile, Tensor} = await import('@litertjs/core');
    await loadLiteRt(new URL('@litertjs/core/wasm/', packages).href);
    const model = await loadAndCompile(file.href, {accelerator: 'wasm'});
    const predict = async ({signature, padded}) => {
      const given = Object.entries(padded).map(([name, {ids, shape}]) => [name, new Tensor(Int32Array.from(ids), shape)]);
      const outputs = await model.run(signature, Object.fromEntries(given));
      const logits = outputs.logits.toTypedArray().slice();
      for (const tensor of [...given.map(([, one]) => one), ...Object.values(outputs)]) tensor.delete();
      return logits;
    };
    return {predict, answer: logits => [...logits]};
  },

  /** onnxruntime-web: from ids of any length to logits. */
  async onnx({packages, file}) {
    const ort = await import(new URL('onnxruntime-web/dist/ort.wasm.min.mjs', packages));
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = new URL('onnxruntime-web/dist/', packages).href;
    const session = await ort.InferenceSession.create(file.href);
    const predict = async ({exact}) => {
      const given = Object.entries(exact).map(
        ([name, {ids, shape}]) => [name, new ort.Tensor('int32', Int32Array.from(ids), shape)]);
      return (await session.run(Object.fromEntries(given), ['logits'])).logits.data;
    };
    return {predict, answer: logits => [...logits]};
  },
};

/**
 * Loads something and times it.
 *
 * @param make of `makers`, with its argument
 * @param inputs of the texts
 * @param calls of each text in a row, whose mean is its time: clocks of pages count in steps of 5 microseconds
 * @return microseconds of loading, and of each text; and the answers
 */
export async function measure(make, inputs, calls) {
  const before = performance.now();
  const {predict, answer} = await make();
  const load = (performance.now() - before) * 1000;
  const answers = [], texts = [];
  for (const input of inputs) answers.push(answer(await predict(input)));
  for (const end = performance.now() + WARM; performance.now() < end; ) {
    for (const input of inputs) await predict(input);
  }
  for (let pass = 0; pass < (calls > 1 ? 1 : PASSES); pass++) {
    for (const input of inputs) {
      const start = performance.now();
      for (let call = 0; call < calls; call++) await predict(input);
      texts.push((performance.now() - start) * 1000 / calls);
    }
  }
  return {load, texts, answers};
}

if (globalThis.process?.argv[3]) {
  const {readFileSync} = await import('node:fs');
  const {pathToFileURL} = await import('node:url');
  const [web, bundle] = process.argv.slice(2).map(folder => pathToFileURL(`${folder}/`));
  const inputs = readFileSync(0, 'utf8').split('\n').slice(0, -1).map(text => ({text}));
  const {load, texts} = await measure(() => makers.textapp({web, bundle}), inputs, 1);
  console.log([`load ${load}`, ...texts.map(time => `text ${time}`)].join('\n'));
}
