// Strange texts, long texts, broken bundles and wrong calls: a right answer or a clear error, never a wrong label.
import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {test} from 'node:test';
import {load, sample, TextappError} from './client.mjs';

const decoder = new TextDecoder(), encoder = new TextEncoder();

/** A function that refuses what is not a `TextappError` of one line with this status and words. */
const refusal = (status, words) => error => {
  assert.ok(error instanceof TextappError, String(error));
  assert.equal(error.status, status, error.message);
  assert.match(error.message, words);
  assert.doesNotMatch(error.message, /\n/);
  return true;
};

/** A function that returns whole numbers below a limit, the same ones in each run. */
function seeded(state) {
  return limit => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0; // Numerical Recipes, section 7.1
    return Math.floor(state / 2 ** 32 * limit);
  };
}

/** Files of a bundle with others in place of some, and right hashes. */
function changed(files, changes) {
  const all = {...files, ...changes}, description = JSON.parse(decoder.decode(all['bundle.json']));
  for (const name of Object.keys(description.sha256)) {
    description.sha256[name] = createHash('sha256').update(all[name]).digest('hex');
  }
  return {...all, 'bundle.json': encoder.encode(JSON.stringify(description))};
}

for (const name of ['classifier', 'tagger']) {
  test(`${name}: lone surrogates count as U+FFFD`, async () => {
    const model = await load(await sample(name));
    for (const text of ['\ud800', 'a\udfffb 好', '\udc00\ud800', 'Ms \ud83d Be\udc4d sang', '👍\ud83d👍']) {
      const replaced = text.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, part => (part.length === 2 ? part : '\ufffd'));
      for (const offsets of ['utf16', 'code-points', 'bytes']) {
        const found = model.predict(text, {offsets}), wanted = model.predict(replaced, {offsets});
        assert.deepEqual({...found, spans: null}, {...wanted, spans: null});
        for (const [number, span] of (found.spans ?? []).entries()) {
          assert.deepEqual({...span, text: ''}, {...wanted.spans[number], text: ''});
          if (offsets === 'utf16') assert.equal(span.text, text.slice(span.start, span.end));
        }
      }
    }
  });

  test(`${name}: texts without tokens`, async () => {
    const model = await load(await sample(name));
    for (const text of ['', ' ', '\0', '\u200b\u00ad\ufeff', '\n\t\r', ' '.repeat(5000)]) {
      const found = model.predict(text, {confidence: true});
      assert.deepEqual(found.tokens, []);
      if (name === 'tagger') assert.deepEqual(found.spans, []);
      else assert.ok(Math.abs(Object.values(found.probs).reduce((a, b) => a + b) - 1) < 1e-9);
    }
  });

  test(`${name}: texts of a megabyte and more, then short ones`, async () => {
    const model = await load(await sample(name)), short = 'good 好 film', before = model.predict(short);
    const apart = ' '.repeat(62); // so that there are not too many tokens for a test
    for (const text of ['x'.repeat(1 << 20), `好${apart}👍`.repeat(1 << 14), `Ms Beçoso sang.${apart}`.repeat(1 << 10)]) {
      const {tokens, truncated} = model.predict(text);
      assert.ok(tokens.length > 0);
      if (name === 'tagger') assert.equal(tokens.at(-1).end, text.trimEnd().length);
      else assert.equal(truncated, text.length > tokens.at(-1).end && tokens.length === 16);
      assert.deepEqual(model.predict(short), before);
    }
  });

  test(`${name}: a missing, cut or changed file is refused by name`, async () => {
    const files = await sample(name);
    for (const [file, content] of Object.entries(files)) {
      const middle = content.length >> 1, flipped = content.with(middle, content[middle] ^ 1);
      const {[file]: _, ...without} = files;
      const words = new RegExp(file.replace('.', '\\.'));
      await assert.rejects(load(without), refusal('bundle', words));
      await assert.rejects(load({...files, [file]: content.subarray(0, middle)}), refusal('bundle', words));
      if (file !== 'bundle.json') await assert.rejects(load({...files, [file]: flipped}), refusal('bundle', words));
    }
  });

  test(`${name}: a mutated bundle with right hashes is refused, or predicts`, async () => {
    const files = await sample(name), random = seeded(1);
    let refused = 0;
    for (let number = 0; number < 100; number++) {
      const names = Object.keys(files).filter(file => file !== 'bundle.json'), file = names[number % names.length];
      const content = files[file].slice();
      for (let count = 1 + number % 4; count > 0; count--) content[random(content.length)] = random(256);
      let found;
      try {
        found = (await load(changed(files, {[file]: content}))).predict('Ms Beçoso 好 film 👍');
      } catch (error) {
        assert.ok(error instanceof TextappError, `${file}: ${error.stack}`);
        refused++;
        continue;
      }
      assert.ok(found.tokens.length > 0);
    }
    assert.ok(refused > 0);
  });
}

test('what is no bundle is refused', async () => {
  const files = await sample('classifier'), json = text => ({...files, 'bundle.json': encoder.encode(text)});
  await assert.rejects(load({}), refusal('bundle', /bundle\.json/));
  await assert.rejects(load(json('')), refusal('bundle', /bundle\.json/));
  await assert.rejects(load(json('{')), refusal('bundle', /bundle\.json:1/));
  await assert.rejects(load(json('[1]')), refusal('bundle', /bundle\.json/));
  await assert.rejects(load({...files, 'labels.txt': 'a\nb\n'}), refusal('argument', /labels\.txt/));
  for (const source of [undefined, null, 5, true]) await assert.rejects(load(source), refusal('argument', /load/));
  for (const source of ['http://', 'http://[']) await assert.rejects(load(source), refusal('argument', /is no URL/));
  assert.ok((await load(Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes)])))).predict('a'));
});

test('wrong calls are refused, and the model goes on', async () => {
  const model = await load(await sample('tagger')), before = model.predict('Ms Beçoso');
  for (const text of [undefined, null, 5, ['a'], {}]) assert.throws(() => model.predict(text), refusal('argument', /string/));
  assert.throws(() => model.predict('x'.repeat(2 ** 28)), refusal('too-long', /268435455 bytes/));
  for (const offsets of ['utf8', '', 2, '__proto__']) {
    assert.throws(() => model.predict('a', {offsets}), refusal('argument', /offsets/));
  }
  assert.throws(() => model.selftest(), refusal('argument', /selftest\.json/));
  assert.deepEqual(model.predict('Ms Beçoso'), before);
  model.free();
  assert.throws(() => model.predict('a'), refusal('argument', /freed/));
  assert.throws(() => model.selftest(), refusal('argument', /freed/));
});

test('models do not disturb each other', async () => {
  const models = await Promise.all(['classifier', 'tagger', 'classifier'].map(async name => load(await sample(name))));
  const texts = ['good 好', 'x'.repeat(70000), 'Ms Beçoso sang'], wanted = texts.map(text => models.map(model => model.predict(text)));
  models[0].free();
  texts.forEach((text, number) => {
    for (const other of [1, 2]) assert.deepEqual(models[other].predict(text), wanted[number][other]);
    assert.deepEqual(wanted[number][0], wanted[number][2]);
  });
});
