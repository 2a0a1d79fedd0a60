// The page: a text box, and what the model of a bundle makes of the text while one types.
//
// It has two forms. In the folder of the web client, core and bundle lie beside it (beside.js). In the single page, they
// are inside (inside.js). All words of a bundle (labels, tags, tokens, messages) become text nodes: nothing of a bundle is
// ever read as HTML.
import {firstBundle, modelOf} from './beside.js';
import {
  chosenLabels, element, hasPlainTags, kinds, languageOf, percent, showLabels, showSpans, showWeights, spansOf,
} from './drawing.js';
import {bestExamples} from './examples.js';
import {FilesError, bundleAmong, filesOf} from './files.js';
import {WORDS} from './words.js';

const QUICK = 8; // milliseconds: a prediction of the time of a frame
const REST = 250; // milliseconds without a key, after which a slow text is predicted
const PAUSE = 700; // milliseconds without a key, after which a screen reader hears the result
const MOST_SPOKEN = 8; // spans

const at = id => document.getElementById(id);
const box = at('text');
let language = 'en';
let shown = null; // the model that is shown: {model, bytes, files, isTested, milliseconds}
let timer = 0; // of the next prediction
let pause = 0; // of the next announcement
let frame = 0;
let lastDuration = 0;
let isTextRefused = false;
let opening = 0; // counts bundles that were dropped: only the last one is shown

const words = () => WORDS[language];

function predict() {
  frame = timer = 0;
  at('result').setAttribute('aria-busy', 'false');
  const text = box.value, started = performance.now();
  let prediction;
  try {
    prediction = shown.model.predict(text, {confidence: true});
  } catch (error) {
    isTextRefused = true;
    fail(error.message);
    return;
  }
  if (isTextRefused) fail(null);
  isTextRefused = false;
  show(text, prediction);
  lastDuration = performance.now() - started;
  clearTimeout(pause);
  pause = setTimeout(() => rest(text, prediction), PAUSE);
}

/** Predicts at the next frame; a text that takes longer, when the keys rest. */
function predictSoon() {
  at('result').setAttribute('aria-busy', 'true');
  fitBox();
  markExample();
  box.lang = languageOf(box.value);
  if (lastDuration > QUICK) {
    clearTimeout(timer);
    timer = setTimeout(predict, REST);
  } else {
    frame ||= requestAnimationFrame(predict);
  }
}

/** When the keys rest, a screen reader hears the result, and the prediction is timed. */
function rest(text, prediction) {
  if (text !== box.value || text.trim() === '') return;
  at('announcement').lang = languageOf(text);
  at('announcement').textContent = spoken(prediction);
  // The clocks of browsers are coarse: the mean of some calls is finer than one.
  const started = performance.now();
  let calls = 0, passed;
  do {
    shown.model.predict(text, {confidence: true});
    calls += 1;
    passed = performance.now() - started;
  } while (passed < 5);
  shown.milliseconds = passed / calls;
  showFacts(prediction.tokens.length);
}

/** The result in a few words. */
function spoken(prediction) {
  if (prediction.spans === undefined) {
    const labels = chosenLabels(prediction).map(label => `${label} ${percent(prediction.probs[label], language, 0)}`);
    return labels.join(', ') || words().noLabel;
  }
  const spans = spansOf(prediction), count = hasPlainTags(prediction) ? words().tokenCount : words().spanCount;
  const some = spans.slice(0, MOST_SPOKEN).map(span => `${span.text} ${span.type}`);
  return [count(spans.length), ...some].join(', ');
}

/** Shows a prediction. For an empty text there is nothing to show. */
function show(text, prediction) {
  const isEmpty = text.trim() === '';
  at('result').hidden = isEmpty;
  showFacts(isEmpty ? 0 : prediction.tokens.length);
  if (isEmpty) {
    at('announcement').textContent = '';
    return;
  }
  const {model} = shown;
  at('reading').lang = languageOf(text);
  let unread;
  if (model.task === 'tagging') {
    unread = showSpans(text, prediction, kinds(model), words(), language);
  } else {
    showLabels(prediction, model.labels, words(), language);
    unread = showWeights(text, prediction, words(), language);
  }
  const notes = [
    prediction.tokens.length === 0 && words().noTokens,
    prediction.truncated && words().cut(prediction.tokens.length),
    unread > 0 && words().unread(unread.toLocaleString(language)),
  ].filter(Boolean);
  at('note').textContent = notes.join(' ');
  at('note').hidden = notes.length === 0;
}

/** Shows time, tokens, bytes and the kind of the core. */
function showFacts(tokenCount) {
  const {model, bytes, milliseconds, isTested} = shown;
  const facts = [];
  if (tokenCount > 0) {
    if (milliseconds !== null) facts.push(duration(milliseconds));
    facts.push(words().tokenCount(tokenCount));
  }
  facts.push(words().size(Math.max(1, Math.round(bytes / 1000)).toLocaleString(language)), words().kernels[model.kernel]);
  if (isTested) facts.push(words().tested);
  at('facts').textContent = facts.join(' · ');
}

function duration(milliseconds) {
  const digits = milliseconds < 0.1 ? 3 : milliseconds < 10 ? 2 : 0;
  const format = {minimumFractionDigits: digits, maximumFractionDigits: digits};
  return `${milliseconds.toLocaleString(language, format)} ms`;
}

/** Shows what went wrong, in one line; null hides the line. */
function fail(message) {
  at('error').textContent = message ?? '';
  at('error').hidden = message === null;
  if (message !== null) at('error').scrollIntoView({block: 'nearest'});
}

function showExamples(examples) {
  const buttons = examples.map(text => {
    const button = element('button', '', text);
    button.type = 'button';
    button.lang = languageOf(text) || 'en';
    button.addEventListener('click', () => {
      box.value = text;
      predictSoon();
    });
    return button;
  });
  at('examples').replaceChildren(...buttons);
}

/** Shows which example is in the box. */
function markExample() {
  for (const button of at('examples').children) button.setAttribute('aria-pressed', button.textContent === box.value);
}

/** Makes the box as high as its text, where the browser does not. */
function fitBox() {
  if (CSS.supports('field-sizing', 'content')) return;
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight + 2}px`;
}

function setLanguage(name) {
  language = name;
  document.documentElement.lang = name;
  for (const [id, text] of Object.entries(words().labels)) at(id).textContent = text;
  at('language').lang = words().otherLanguage;
  at('examples').setAttribute('aria-label', words().examples);
  box.placeholder = words().hint;
  if (shown !== null) {
    showTitle();
    predictSoon();
  }
}

function showTitle() {
  const {model} = shown, title = words().titles[model.task];
  document.title = `${title} · textapp`;
  at('title').textContent = title;
  const names = kinds(model), list = names.join(', ');
  at('about').textContent = words().about(list.length <= 40 ? list : words().labelCount(names.length.toLocaleString(language)));
}

/** Loads a bundle from its files. */
async function opened(files) {
  const model = await modelOf(files);
  const isTested = 'selftest.json' in files;
  if (isTested) model.selftest();
  const bytes = Object.values(files).reduce((sum, content) => sum + content.length, 0);
  return {model, bytes, files, isTested, milliseconds: null};
}

/** Shows a model in place of the one before. */
function take(found) {
  const before = shown;
  const examples = bestExamples(found.model, found.files);
  const isExample = box.value === '' || [...at('examples').children].some(one => one.textContent === box.value);
  shown = found;
  before?.model.free();
  lastDuration = 0;
  at('start').hidden = true;
  at('page').hidden = false;
  fail(null);
  showTitle();
  showExamples(examples);
  if (isExample) box.value = examples[0];
  predictSoon();
}

/** Shows the bundle among files of the user. If it is broken, the page says so, and the model before stays. */
async function takeAmong(entries) {
  opening += 1;
  const mine = opening;
  at('drop-text').textContent = words().reading;
  let failure = null;
  try {
    const found = await opened(await bundleAmong(await entries));
    if (mine === opening) take(found);
    else found.model.free();
  } catch (error) {
    failure = error instanceof FilesError ? words()[error.key](error.file) : error.message;
  }
  if (mine !== opening) return;
  at('drop-text').textContent = words().labels['drop-text'];
  if (failure !== null) fail(words().kept(failure));
}

function listen() {
  const hasFiles = event => event.dataTransfer?.types.includes('Files');
  const drag = isOver => document.body.classList.toggle('dragging', isOver);
  box.addEventListener('input', predictSoon);
  at('language').addEventListener('click', () => setLanguage(words().otherLanguage));
  at('folder').addEventListener('change', () => {
    takeAmong([...at('folder').files].map(file => ({path: file.webkitRelativePath || file.name, file})));
    at('folder').value = ''; // so that the same folder can be chosen again
  });
  addEventListener('dragover', event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drag(true);
  });
  addEventListener('dragleave', event => event.relatedTarget === null && drag(false));
  addEventListener('drop', event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    drag(false);
    takeAmong(filesOf(event.dataTransfer));
  });
}

async function start() {
  setLanguage(navigator.language.startsWith('zh') ? 'zh-Hans' : 'en');
  listen();
  try {
    take(await opened(await firstBundle()));
  } catch (error) {
    at('start').textContent = error instanceof FilesError ? words()[error.key](error.file) : error.message;
  }
}

start();
