// The sample bundles in every kind of the core, against what Python has recorded. TEXTAPP_WASM: folder of the cores.
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import path from 'node:path';
import {test} from 'node:test';
import {pathToFileURL} from 'node:url';
import {kind, load} from '../textapp.js';

const SAMPLES = new URL('../../../tests/samples/', import.meta.url);
const CORES = pathToFileURL(path.join(process.env.TEXTAPP_WASM, '/'));
const TOLERANCE = 1e-4; // of probabilities: weights are int8

const expected = JSON.parse(await readFile(new URL('expected.json', SAMPLES), 'utf8'));
const kinds = ['plain', 'simd', 'relaxed'].slice(0, ['plain', 'simd', 'relaxed'].indexOf(kind()) + 1);

/** The same, but for probabilities, which may differ by little. */
function assertClose(found, wanted, place) {
  if (typeof wanted === 'number' && typeof found === 'number' && !Number.isInteger(wanted)) {
    assert.ok(Math.abs(found - wanted) < TOLERANCE, `${place}: ${found} is not ${wanted}`);
  } else if (wanted !== null && typeof wanted === 'object') {
    assert.deepEqual(Object.keys(found).sort(), Object.keys(wanted).sort(), place);
    for (const key of Object.keys(wanted)) assertClose(found[key], wanted[key], `${place}.${key}`);
  } else {
    assert.equal(found, wanted, place);
  }
}

for (const kernel of kinds) {
  for (const name of ['classifier', 'tagger']) {
    test(`${name} in ${kernel}`, async () => {
      const model = await load(new URL(`${name}/bundle`, SAMPLES), {wasm: new URL(`textapp-${kernel}.wasm`, CORES)});
      assert.equal(model.task, name === 'tagger' ? 'tagging' : 'classification');
      expected.texts.forEach((text, number) => {
        const found = model.predict(text, {offsets: 'code-points', confidence: name === 'tagger'});
        assertClose(found, expected[name].bundle.predictions[number], JSON.stringify(text));
      });
    });
  }
}
