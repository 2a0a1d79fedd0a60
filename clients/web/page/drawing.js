// Draws predictions: bars, tinted words, marked spans.

const MOST_BARS = 8;
const MOST_WORDS = 3; // that weighed
const LONGEST_SHOWN = 20000; // units of UTF-16: browsers become slow with more marked words

const at = id => document.getElementById(id);

/** An element with a class and content. Strings become text, never HTML. */
export function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

/** A share as a percentage. Only 1 is 100 %. */
export function percent(share, language, digits = 1) {
  const format = {style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits};
  const shown = share < 1 ? Math.min(share, 1 - 0.1 ** (digits + 2)) : share;
  return shown.toLocaleString(language, format);
}

/** The language that the script of a text shows, for fonts and screen readers; '' where it shows none. */
export function languageOf(text) {
  const start = text.slice(0, 2000);
  if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(start)) return 'ja';
  if (/\p{Script=Hangul}/u.test(start)) return 'ko';
  return /\p{Script=Han}/u.test(start) ? 'zh-Hans' : '';
}

/** The labels of a model, or the types of its spans, or its plain tags. */
export function kinds(model) {
  if (model.task !== 'tagging') return model.labels;
  return [...new Set(model.labels.filter(tag => tag !== 'O').map(tag => tag.replace(/^[BI]-/, '')))];
}

/** The labels that a text has. */
export function chosenLabels(prediction) {
  return prediction.labels ?? [prediction.label];
}

/** Shows the labels of a text, and the probabilities of the most probable ones. */
export function showLabels(prediction, labels, words, language) {
  const {probs} = prediction, chosen = chosenLabels(prediction);
  const headline = chosen.flatMap(label => [element('span', '', label), element('small', '', percent(probs[label], language))]);
  at('headline').replaceChildren(...(headline.length ? headline : [element('small', '', words.noLabel)]));
  // Few labels keep their places, so that the page is calm.
  const some = labels.length <= MOST_BARS
    ? labels
    : [...labels].sort((one, other) => probs[other] - probs[one]).slice(0, MOST_BARS);
  const rows = some.map(label => ({
    name: [label],
    share: probs[label],
    className: chosen.includes(label) ? 'chosen' : '',
    before: chosen.includes(label) ? [element('span', 'unseen', words.chosen), tick()] : [],
  }));
  showBars(rows, labels.length - some.length, words, language);
}

/** Shows a text with a tint behind each word, by its weight. Returns how much of the text is not shown. */
export function showWeights(text, prediction, words, language) {
  const {tokens, truncated} = prediction;
  const largest = tokens.reduce((most, token) => Math.max(most, token.weight ?? 0), 0);
  // The tint is full at the largest weight. Equal weights have a quarter of it, as no word decides.
  const full = Math.max(largest, 4 / tokens.length);
  const marked = (token, part) => {
    const word = element('span', 'token', part);
    if (token.weight !== null) {
      word.style.setProperty('--strength', `${Math.round(100 * token.weight / full)}%`);
      word.title = percent(token.weight, language);
    }
    return word;
  };
  showMarked(text, tokens, marked, truncated);
  const heavy = tokens.filter(token => token.weight > largest / 4);
  heavy.sort((one, other) => other.weight - one.weight);
  const list = heavy.slice(0, MOST_WORDS).flatMap((token, number) => [
    number === 0 ? ' ' : ' · ',
    element('b', '', text.slice(token.start, token.end)),
    `\u00a0${percent(token.weight, language, 0)}`,
  ]);
  at('weights').replaceChildren(words.weights, ...list);
  at('weights').hidden = list.length === 0;
  return text.length - LONGEST_SHOWN;
}

/** Whether tokens have plain tags, such as parts of speech, in place of spans. */
export function hasPlainTags(prediction) {
  return prediction.tokens.some(token => token.confidence !== undefined);
}

/** The spans of a text; where tags are plain, one for each token. */
export function spansOf(prediction) {
  return hasPlainTags(prediction) ? prediction.tokens.map(token => ({...token, type: token.tag})) : prediction.spans;
}

/** Shows a text with its spans, or with its plain tags. Returns how much of the text is not shown. */
export function showSpans(text, prediction, types, words, language) {
  const arePlain = hasPlainTags(prediction), spans = spansOf(prediction);
  // Neighbours in the list of types have hues that lie far apart.
  const hue = span => String(Math.round(255 + 137.5 * Math.max(0, types.indexOf(span.type))) % 360);
  const name = span => element('span', 'type', span.type || words.span);
  const marked = (span, part) => {
    const mark = element('mark', arePlain ? 'plain' : '', part, name(span));
    mark.style.setProperty('--hue', hue(span));
    if (arePlain) mark.title = percent(span.confidence, language);
    else mark.append(element('span', 'sure', percent(span.confidence, language, 0)));
    return mark;
  };
  showMarked(text, spans, marked, false);
  const some = arePlain ? [] : spans.slice(0, MOST_BARS);
  const rows = some.map(span => ({
    name: [name(span), text.slice(span.start, span.end)],
    share: span.confidence,
    className: 'span',
    hue: hue(span),
    before: [],
  }));
  showBars(rows, arePlain ? 0 : spans.length - some.length, words, language);
  at('headline').replaceChildren(...(spans.length ? [] : [element('small', '', words.noSpan)]));
  at('weights').hidden = true;
  return text.length - LONGEST_SHOWN;
}

/** Shows a text in which each place, of `parts` in order, is an element. */
function showMarked(text, parts, marked, isCut) {
  const content = [];
  let end = 0;
  for (const part of parts) {
    if (part.start >= LONGEST_SHOWN) break;
    if (part.end <= end) continue; // of several tokens of one character, the first one has its place
    const start = Math.max(part.start, end);
    content.push(text.slice(end, start), marked(part, text.slice(start, part.end)));
    end = part.end;
  }
  const rest = text.slice(end, Math.max(end, LONGEST_SHOWN));
  content.push(isCut ? element('s', '', rest) : rest);
  at('reading').replaceChildren(...content);
}

/** A mark for those who see; screen readers have a word for it. */
function tick() {
  const made = element('span', '', '✓ ');
  made.setAttribute('aria-hidden', 'true');
  return made;
}

/** Shows a bar a row. Bars that are there change, so that they glide. */
function showBars(rows, moreCount, words, language) {
  const list = at('bars');
  while (list.childElementCount > rows.length) list.lastElementChild.remove();
  rows.forEach(({name, share, className, hue, before}, number) => {
    if (list.childElementCount === number) {
      const track = element('span', 'track', element('span', 'fill'));
      list.append(element('li', '', element('span', 'name'), track, element('span', 'value')));
    }
    const row = list.children[number], [title, track, value] = row.children;
    row.className = className;
    row.style.setProperty('--hue', hue ?? '');
    title.replaceChildren(...name);
    title.title = title.textContent;
    track.firstElementChild.style.width = share < 0.005 ? '0' : `${100 * share}%`; // less is a speck
    value.replaceChildren(...before, percent(share, language));
  });
  at('more').textContent = words.more(moreCount);
  at('more').hidden = moreCount <= 0;
}
