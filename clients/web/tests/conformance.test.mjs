// The golden files of clients/conformance, whose README.md describes them. TEXTAPP_CONFORMANCE is their folder.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {load} from './client.mjs';

const FOLDER = process.env.TEXTAPP_CONFORMANCE;
const OFFSETS = ['code-points', 'utf16', 'bytes']; // in the order of a place

const lines = file => readFileSync(join(FOLDER, file), 'ascii').split('\n').slice(0, -1);
const list = field => (field === '' ? [] : field.split(' '));
const string = (field, between) =>
  field === '' ? '' : String.fromCodePoint(...field.split(between).map(point => parseInt(point, 16)));
const name = field => string(field, '.');

/** The numbers of two places, of the unit of that number. */
const offsets = (fields, unit) => ({start: Number(fields[1 + unit]), end: Number(fields[4 + unit])});

function assertNear(found, wanted, tolerance, what) {
  assert.equal(typeof found, 'number', what);
  assert.ok(Math.abs(found - wanted) <= tolerance * Math.max(1, Math.abs(wanted)), `${what}: ${found} is not ${wanted}`);
}

function checkTokens(file, count, bundle) {
  test(`${count} lines of ${file}`, async () => {
    const model = await load(join(FOLDER, bundle));
    const strings = lines('strings.txt'), wanted = lines(file);
    assert.equal(wanted.length, count);
    strings.forEach((line, number) => {
      const text = string(line, ' ');
      const fields = list(wanted[number]).map(token => token.split(':'));
      OFFSETS.forEach((unit, place) => {
        const found = model.predict(text, {offsets: unit}).tokens.map(({text, start, end}) => ({text, start, end}));
        assert.deepEqual(found, fields.map(parts => ({text: name(parts[0]), ...offsets(parts, place)})), line);
      });
    });
  });
}

function checkPrediction(model, fields, tolerance, place) {
  const [points, sure, truncated, labels, probs, , tokens, spans] = fields;
  const text = string(points, ' '), isSure = sure === '1';
  const found = model.predict(text, {offsets: OFFSETS[place], confidence: true});
  const wanted = list(tokens).map(token => token.split(':'));
  assert.deepEqual(
    found.tokens.map(({text, start, end}) => ({text, start, end})),
    wanted.map(parts => ({text: name(parts[0]), ...offsets(parts, place)})),
    points,
  );
  wanted.forEach(([, , , , , , , weight, tag, confidence], number) => {
    const token = found.tokens[number];
    if (weight) assertNear(token.weight, Number(weight), tolerance, points);
    else if (!tag) assert.equal(token.weight, null, points);
    if (tag && isSure) assert.equal(token.tag, name(tag), points);
    if (confidence && isSure) assertNear(token.confidence, Number(confidence), tolerance, points);
  });
  if (model.task === 'tagging') {
    if (!isSure) return;
    const parts = list(spans).map(span => span.split(':'));
    assert.deepEqual(
      found.spans.map(({type, start, end}) => ({type, start, end})),
      parts.map(part => ({type: name(part[0]), ...offsets(part, place)})),
      points,
    );
    parts.forEach((part, number) => assertNear(found.spans[number].confidence, Number(part[7]), tolerance, points));
    if (OFFSETS[place] === 'utf16') {
      for (const span of found.spans) assert.equal(span.text, text.slice(span.start, span.end), points);
    } else {
      const others = model.predict(text).spans;
      assert.deepEqual(found.spans.map(span => span.text), others.map(span => span.text), points);
    }
    return;
  }
  assert.equal(found.truncated, truncated === '1', points);
  list(probs).forEach((prob, number) => assertNear(found.probs[model.labels[number]], Number(prob), tolerance, points));
  if (isSure) assert.deepEqual(found.labels ?? [found.label], list(labels).map(name), points);
}

function checkPredictions(file, count, bundle, task, tolerance) {
  test(`${count} lines of ${file}`, async () => {
    const model = await load(join(FOLDER, bundle));
    assert.equal(model.task, task);
    const rows = lines(file);
    assert.equal(rows.length, count);
    rows.forEach((line, number) => checkPrediction(model, line.split('\t'), tolerance, number % OFFSETS.length));
  });
}

for (const line of lines('index.txt')) {
  const [what, file, count, bundle, task, , tolerance] = line.split('\t');
  if (what === 'tokens') checkTokens(file, Number(count), bundle);
  if (what === 'predictions') checkPredictions(file, Number(count), bundle, task, Number(tolerance));
}
