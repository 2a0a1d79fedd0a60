// The page: a text box, and what the model of a bundle makes of the text while one types.
//
// It has two forms. In the folder of the web client it loads `bundle/` beside it. In the single file, engine and bundle
// are inside, in the element `inside`. All words of a bundle (labels, tags, tokens, messages) become text nodes: nothing
// of a bundle is ever read as HTML.
import { load } from "./textapp.js";
import { FilesError, bundleAmong, fetched, filesOf, unpacked } from "./files.js";
import { EXAMPLES, WORDS } from "./texts.js";

const LONGEST_SHOWN = 20000; // UTF-16 units of a text: browsers become slow with more marked words
const MOST_BARS = 8;
const MOST_EXAMPLES = 5;
const QUICK = 8; // ms: a prediction that fits into a frame
const PAUSE = 700; // ms without a key, after which a screen reader hears the result

const at = (id) => document.getElementById(id);
const text = at("text");
let language = "en";
let words = WORDS.en;
let engine; // the options of `load` that say where the engine is
let shown = null; // { model, bytes, vocabulary, tested, milliseconds }
let waiting = 0; // the timer of the next prediction
let pausing = 0; // the timer of the next announcement
let lastDuration = 0;
let turn = 0; // of dropped bundles: only the last one is shown

// ---- small parts ----

/** An element with a class and content; strings become text. */
function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

const percent = (share, digits = 1) =>
  new Intl.NumberFormat(language, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits })
    .format(share);

const kilobytes = (count) => `${Math.max(1, Math.round(count / 1000)).toLocaleString(language)} kB`;

function duration(milliseconds) {
  const digits = milliseconds < 0.1 ? 3 : milliseconds < 10 ? 2 : 0;
  return `${milliseconds.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits })} ms`;
}

/** The language of a text as its script shows it, for fonts and screen readers; "" where the script does not say. */
function languageOf(content) {
  const start = content.slice(0, 2000);
  if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(start)) return "ja";
  if (/\p{Script=Hangul}/u.test(start)) return "ko";
  return /\p{Script=Han}/u.test(start) ? "zh-Hans" : "";
}

/** The names that a model chooses from, without the B- and I- of tags, and without O. */
function kinds(model) {
  if (model.task !== "tagging") return [...model.labels];
  return [...new Set(model.labels.filter((tag) => tag !== "O").map((tag) => tag.replace(/^[BIES]-/u, "")))];
}

/** The hue of a type: neighbours in the list of types lie far apart on the circle. */
const hueOf = (type) => String(Math.round(255 + 137.5 * Math.max(0, kinds(shown.model).indexOf(type))) % 360);

// ---- what the page shows ----

/** Predicts the text of the box, and shows it. */
function predict() {
  clearTimeout(waiting);
  waiting = 0;
  if (shown === null) return;
  const content = text.value;
  const started = performance.now();
  let prediction;
  try {
    prediction = shown.model.predict(content, { confidence: true });
  } catch (error) {
    fail(error.message);
    return;
  }
  lastDuration = performance.now() - started;
  show(content, prediction);
  clearTimeout(pausing);
  pausing = setTimeout(() => pause(content, prediction), PAUSE);
}

/** Predicts soon: at the next frame, or for a slow text when the keys rest. */
function predictSoon() {
  fitBox();
  markExample();
  text.lang = languageOf(text.value);
  if (lastDuration > QUICK) {
    clearTimeout(waiting);
    waiting = setTimeout(predict, 250);
  } else if (waiting === 0) {
    waiting = setTimeout(() => requestAnimationFrame(predict), 0);
  }
}

/** When the keys rest: tells the screen reader the result, and times the prediction. */
function pause(content, prediction) {
  if (content !== text.value || shown === null) return;
  at("announcement").textContent = content.trim() === "" ? "" : spoken(prediction);
  // The browser's clock is coarse: the mean of some calls is finer than one.
  const started = performance.now();
  let calls = 0;
  do {
    shown.model.predict(content, { confidence: true });
    calls += 1;
  } while (performance.now() - started < 5);
  shown.milliseconds = (performance.now() - started) / calls;
  showFacts(prediction.tokens.length);
}

/** The result in a few words. */
function spoken(prediction) {
  if (prediction.spans) {
    const some = prediction.spans.slice(0, MOST_BARS).map((span) => `${span.type} ${span.text}`);
    return prediction.spans.length ? [words.announceSpans(prediction.spans.length), ...some].join(", ") : words.noSpan;
  }
  return chosenLabels(prediction).map((one) => words.announceLabel(one, percent(prediction.probs[one], 0))).join(", ")
    || words.noLabel;
}

const chosenLabels = (prediction) => prediction.labels ?? [prediction.label];

/** Shows a prediction. Nothing is shown for an empty text. */
function show(content, prediction) {
  const isEmpty = content.trim() === "";
  at("result").hidden = isEmpty;
  showFacts(isEmpty ? 0 : prediction.tokens.length);
  if (isEmpty) return;
  const isTagging = shown.model.task === "tagging";
  at("result").classList.toggle("spans", isTagging);
  const reading = at("reading");
  reading.lang = languageOf(content);
  if (isTagging) {
    showSpans(content, prediction);
  } else {
    showLabels(prediction);
    showWeights(content, prediction);
  }
  const unread = content.length - LONGEST_SHOWN;
  const notes = [];
  if (prediction.tokens.length === 0) notes.push(words.noTokens);
  if (prediction.truncated) notes.push(words.cut(prediction.tokens.length));
  if (unread > 0) notes.push(words.unshown(unread.toLocaleString(language)));
  at("note").textContent = notes.join(" ");
  at("note").hidden = notes.length === 0;
}

/** The labels as a headline, and a bar for each probability. */
function showLabels(prediction) {
  const chosen = new Set(chosenLabels(prediction));
  const names = Object.keys(prediction.probs);
  const byProbability = (one, other) => prediction.probs[other] - prediction.probs[one];
  // Few labels keep their places, which is calm; of many, the most probable are shown.
  const some = names.length <= MOST_BARS ? names : [...names].sort(byProbability).slice(0, MOST_BARS);
  const headline = [...chosen].flatMap((label) => [
    element("span", "", label),
    element("small", "", percent(prediction.probs[label])),
  ]);
  at("headline").replaceChildren(...(headline.length ? headline : [element("small", "", words.noLabel)]));
  showBars(some.map((label) => ({ name: [label], share: prediction.probs[label], isChosen: chosen.has(label) })));
  showMore(names.length - some.length);
}

/** Bars in the list. Bars that are there change, so that they can glide. */
function showBars(rows) {
  const list = at("bars");
  while (list.childElementCount > rows.length) list.lastElementChild.remove();
  rows.forEach(({ name, share, isChosen, hue }, number) => {
    let row = list.children[number];
    if (row === undefined) {
      const fill = element("span", "fill");
      const track = element("span", "track", fill);
      track.ariaHidden = "true";
      row = element("li", "", element("span", "name"), track, element("span", "value"));
      list.append(row);
    }
    row.className = hue === undefined ? (isChosen ? "chosen" : "") : "spotted";
    if (hue !== undefined) row.style.setProperty("--hue", hue);
    const title = row.querySelector(".name");
    title.replaceChildren(...name);
    title.title = title.textContent;
    row.querySelector(".fill").style.width = `${100 * share}%`;
    const value = row.querySelector(".value");
    value.textContent = percent(share);
    if (isChosen) value.prepend(element("span", "unseen", `${words.chosen} `), "✓ ");
  });
}

function showMore(count) {
  at("more").textContent = words.more(count);
  at("more").hidden = count <= 0;
}

/** The text with a tint behind each word, by its weight. */
function showWeights(content, prediction) {
  const tokens = prediction.tokens;
  const weights = tokens.map((token) => token.weight ?? 0);
  const largest = Math.max(...weights, 0);
  // A text with equal weights is tinted half, so that it does not look as if all words were decisive.
  const full = Math.max(largest, 2 / tokens.length);
  const parts = [];
  let end = 0;
  for (const token of tokens) {
    if (token.start >= LONGEST_SHOWN) break;
    if (token.end <= end) continue; // pieces of one character share its place
    const start = Math.max(token.start, end);
    parts.push(content.slice(end, start));
    const word = element("span", "token", content.slice(start, token.end));
    word.style.setProperty("--strength", `${Math.round((100 * (token.weight ?? 0)) / full)}%`);
    if (token.weight !== null) word.title = percent(token.weight);
    parts.push(word);
    end = token.end;
  }
  const rest = content.slice(end, Math.max(end, LONGEST_SHOWN));
  parts.push(prediction.truncated ? element("span", "cut", rest) : rest);
  at("reading").replaceChildren(...parts);
  const most = tokens
    .filter((token) => token.weight !== null && token.weight >= largest / 4)
    .sort((one, other) => other.weight - one.weight)
    .slice(0, 3);
  const list = most.flatMap((token, number) => [
    number ? " · " : " ",
    element("b", "", content.slice(token.start, token.end)),
    ` ${percent(token.weight, 0)}`,
  ]);
  at("weights").replaceChildren(words.weights, ...list);
  at("weights").hidden = most.length === 0;
}

/** The text with its spans marked, and a bar for the confidence of each. Plain tags mark each token. */
function showSpans(content, prediction) {
  const arePlain = prediction.tokens.some((token) => token.confidence !== undefined);
  const spans = arePlain ? prediction.tokens.map((token) => ({ ...token, type: token.tag })) : prediction.spans;
  const parts = [];
  let end = 0;
  for (const span of spans) {
    if (span.start >= LONGEST_SHOWN) break;
    if (span.end <= end) continue;
    const start = Math.max(span.start, end);
    const mark = element("mark", "", content.slice(start, span.end), element("span", "type", span.type || words.span));
    if (!arePlain) mark.append(element("span", "sure", percent(span.confidence, 0)));
    else mark.title = percent(span.confidence);
    mark.style.setProperty("--hue", hueOf(span.type));
    parts.push(content.slice(end, start), mark);
    end = span.end;
  }
  parts.push(content.slice(end, Math.max(end, LONGEST_SHOWN)));
  at("reading").replaceChildren(...parts);
  at("headline").replaceChildren(...(spans.length ? [] : [element("small", "", words.noSpan)]));
  const some = arePlain ? [] : spans.slice(0, MOST_BARS);
  showBars(
    some.map((span) => ({
      name: [element("span", "type", span.type || words.span), content.slice(span.start, span.end)],
      share: span.confidence,
      isChosen: false,
      hue: hueOf(span.type),
    })),
  );
  showMore(arePlain ? 0 : spans.length - some.length);
  at("weights").hidden = true;
}

/** Time, tokens, bytes and the kind of engine. */
function showFacts(tokenCount) {
  const { model, bytes, milliseconds, tested } = shown;
  const facts = [
    milliseconds === null || tokenCount === 0 ? "" : duration(milliseconds),
    tokenCount === 0 ? "" : words.words(tokenCount),
    words.sizes(kilobytes(bytes), engine.bytes === undefined ? model.kernel : `${kilobytes(engine.bytes)}, ${model.kernel}`),
    tested ? words.tested : "",
  ];
  at("facts").textContent = facts.filter((fact) => fact !== "").join(" · ");
}

/** Shows one line about what went wrong; null hides it. */
function fail(message) {
  at("error").textContent = message ?? "";
  at("error").hidden = message === null;
  if (message !== null) at("error").scrollIntoView({ block: "nearest" });
}

// ---- examples ----

/** The examples whose words the model knows best, with different results. */
function bestExamples() {
  const { model, vocabulary } = shown;
  const known = (token) => vocabulary.has(token.text) || vocabulary.has(token.text.toLowerCase());
  const rows = EXAMPLES.map((content) => {
    const prediction = model.predict(content);
    const { tokens } = prediction;
    const result = prediction.spans
      ? [...new Set(prediction.spans.map((span) => span.type))].sort().join(" ")
      : chosenLabels(prediction).join("\n");
    return { content, result, share: tokens.filter(known).length / Math.max(1, tokens.length) };
  });
  const chosen = [];
  while (chosen.length < MOST_EXAMPLES) {
    const seen = new Set(chosen.map((row) => row.result));
    const worth = (row) => row.share + (seen.has(row.result) || row.result === "" ? 0 : 0.15);
    const rest = rows.filter((row) => !chosen.includes(row));
    chosen.push(rest.reduce((best, row) => (worth(row) > worth(best) ? row : best)));
  }
  return chosen.map((row) => row.content);
}

function showExamples(contents) {
  at("examples").replaceChildren(
    ...contents.map((content) => {
      const button = element("button", "", content);
      button.type = "button";
      button.title = content;
      button.lang = languageOf(content) || "en";
      button.addEventListener("click", () => {
        text.value = content;
        predictSoon();
      });
      return button;
    }),
  );
}

/** Shows which example is in the box. */
function markExample() {
  for (const button of at("examples").children) button.ariaPressed = String(button.textContent === text.value);
}

/** Makes the box as high as its text, where the browser does not do it. */
function fitBox() {
  if (CSS.supports("field-sizing", "content")) return;
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

// ---- words of the page ----

function setLanguage(wanted) {
  language = wanted;
  words = WORDS[wanted];
  document.documentElement.lang = wanted === "zh" ? "zh-Hans" : "en";
  at("text-label").textContent = words.text;
  text.placeholder = words.hint;
  at("examples").ariaLabel = words.examples;
  at("result-title").textContent = words.result;
  at("drop-text").textContent = words.drop;
  at("folder-label").textContent = words.choose;
  at("language").textContent = words.other;
  at("language").lang = wanted === "zh" ? "en" : "zh-Hans";
  if (shown !== null) {
    showModel();
    predict();
  }
}

/** The title and the line below it. */
function showModel() {
  const { model } = shown;
  const title = words.titles[model.task];
  document.title = `${title} · textapp`;
  at("title").textContent = title;
  at("about").textContent = words.about(kinds(model).length.toLocaleString(language), model.task);
}

// ---- bundles ----

/** Loads a bundle and shows it. If it is broken, raises, and the model before stays. */
async function open(files) {
  const model = await load(files, engine);
  try {
    const tested = "selftest.json" in files;
    if (tested) model.selftest();
    const bytes = Object.values(files).reduce((sum, file) => sum + file.length, 0);
    const vocabulary = new Set(new TextDecoder().decode(files["vocabulary.txt"]).split("\n"));
    return { model, bytes, vocabulary, tested, milliseconds: null };
  } catch (error) {
    model.free();
    throw error;
  }
}

/** Takes a model that was opened in place of the one before. */
function take(opened) {
  shown?.model.free();
  shown = opened;
  lastDuration = 0;
  fail(null);
  at("start").hidden = true;
  showModel();
  const examples = bestExamples();
  const isExample = text.value === "" || [...at("examples").children].some((one) => one.textContent === text.value);
  showExamples(examples);
  if (isExample) text.value = examples[0];
  predictSoon();
}

/** Reads the bundle among dropped files, and shows it or says what is wrong. */
async function openDropped(entries) {
  turn += 1;
  const mine = turn;
  at("drop-text").textContent = words.reading;
  try {
    const opened = await open(await bundleAmong(entries));
    if (mine === turn) take(opened);
    else opened.model.free();
  } catch (error) {
    if (mine === turn) fail(`${error.message} ${shown === null ? "" : words.kept}`);
  } finally {
    if (mine === turn) at("drop-text").textContent = words.drop;
  }
}

// ---- the start ----

async function start() {
  setLanguage(navigator.language.startsWith("zh") ? "zh" : "en");
  at("language").addEventListener("click", () => setLanguage(language === "en" ? "zh" : "en"));
  text.addEventListener("input", predictSoon);
  at("folder").addEventListener("change", async (event) => {
    const files = [...event.target.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
    event.target.value = "";
    await openDropped(files);
  });
  const drag = (isOver) => (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("dragging", isOver);
  };
  addEventListener("dragover", drag(true));
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) document.body.classList.remove("dragging");
  });
  addEventListener("drop", async (event) => {
    drag(false)(event);
    if (event.dataTransfer?.types.includes("Files")) await openDropped(await filesOf(event.dataTransfer));
  });
  const inside = at("inside");
  try {
    if (inside === null) {
      engine = {};
      take(await open(await fetched(document.documentElement.dataset.bundle)));
    } else {
      const { "textapp.wasm": wasm, ...files } = await unpacked(inside);
      engine = { wasm: await WebAssembly.compile(wasm), bytes: wasm.length };
      take(await open(files));
    }
  } catch (error) {
    at("start").hidden = true;
    const isOld = error instanceof WebAssembly.CompileError || typeof DecompressionStream === "undefined";
    fail(isOld ? words.noSimd : error.message);
  }
}

await start();
