// Where bundles and cores come from: the sample bundles from each place, against what Python has recorded.
import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import {relative} from 'node:path';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {Worker} from 'node:worker_threads';
import {kind, load, sample, SAMPLES, TextappError, web} from './client.mjs';

const TOLERANCE = 1e-4; // of probabilities: weights are int8
const expected = JSON.parse(await readFile(new URL('expected.json', SAMPLES), 'utf8'));
const client = new URL(kind === 'wasm2js' ? 'without-wasm.js' : 'textapp.js', web);

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

function assertRight(model, name) {
  assert.equal(model.task, name === 'tagger' ? 'tagging' : 'classification');
  expected.texts.forEach((text, number) => {
    const found = model.predict(text, {offsets: 'code-points', confidence: name === 'tagger'});
    assertClose(found, expected[name].bundle.predictions[number], JSON.stringify(text));
  });
}

/** Serves the samples, and the same bundle without one file. */
async function served(run) {
  const requests = [];
  const server = createServer(async (request, response) => {
    requests.push(request.url);
    const path = request.url.replace('/lacking/', '/classifier/');
    if (path !== request.url && path.endsWith('labels.txt')) return response.writeHead(404).end();
    return response.end(await readFile(new URL(`.${path}`, SAMPLES)));
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  try {
    await run(`http://127.0.0.1:${server.address().port}`, requests);
  } finally {
    server.close();
  }
}

for (const name of ['classifier', 'tagger']) {
  test(`${name}: from bytes, a path, a URL and File objects`, async () => {
    const files = await sample(name), folder = new URL(`${name}/bundle`, SAMPLES);
    const objects = Object.entries(files).map(([file, content]) => new File([content], file));
    for (const source of [files, fileURLToPath(folder), relative('.', fileURLToPath(folder)), folder, folder.href, objects]) {
      assertRight(await load(source), name);
    }
  });
}

test('from a server: bundle.json, then the files that it names', async () => {
  await served(async (origin, requests) => {
    assertRight(await load(`${origin}/tagger/bundle/`), 'tagger');
    const names = Object.keys(await sample('tagger'));
    assert.equal(requests[0], '/tagger/bundle/bundle.json');
    assert.deepEqual(requests.sort(), names.map(name => `/tagger/bundle/${name}`).sort());
    await assert.rejects(load(`${origin}/lacking/bundle`), error => {
      assert.ok(error instanceof TextappError);
      assert.deepEqual([error.status, /lacking\/bundle\/labels\.txt.*404/.test(error.message)], ['file', true], error.message);
      return true;
    });
  });
});

test('a folder that is not there is named', async () => {
  for (const source of [new URL('none/', SAMPLES), '/no/such/folder', 'http://127.0.0.1:9/bundle']) {
    await assert.rejects(load(source), error => error instanceof TextappError && error.status === 'file' && /bundle\.json/.test(error.message));
  }
});

test('names in bundle.json are no paths', async () => {
  await served(async (origin, requests) => {
    const {namesIn} = await import(new URL('model.js', web));
    const names = {'a.txt': '', '../b.txt': '', 'c/d.txt': '', 'http://e.txt': '', 'f.json': '', 'bundle.json': ''};
    assert.deepEqual(namesIn(new TextEncoder().encode(JSON.stringify({sha256: names}))), ['a.txt', 'f.json']);
    for (const text of ['', '{', 'null', '{}', '{"sha256": 1}']) assert.deepEqual(namesIn(new TextEncoder().encode(text)), []);
    assert.deepEqual(requests, []);
  });
});

test('a bundle without selftest.json says how to get it', async () => {
  const model = await load(await sample('classifier'));
  const expected = {status: 'argument', message: /^selftest: .*load\(url, \{selftest: true\}\)/};
  assert.throws(() => model.selftest(), expected);
});

test('a bundle tests itself', {skip: !process.env.TEXTAPP_SELFTEST}, async () => {
  const model = await load(process.env.TEXTAPP_SELFTEST, {selftest: true});
  model.selftest();
  model.predict('x'.repeat(100000));
  model.selftest();
});

test('in a worker', async () => {
  const code = `
    import {parentPort} from 'node:worker_threads';
    import {load} from ${JSON.stringify(client.href)};
    const model = await load(${JSON.stringify(new URL('classifier/bundle', SAMPLES).href)});
    parentPort.postMessage(model.predict('good 好 film'));`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  const found = await new Promise((done, failed) => worker.once('message', done).once('error', failed));
  assertClose(found, (await load(await sample('classifier'))).predict('good 好 film'), 'worker');
});

test('the core from bytes, a URL, a module, and from beside textapp.js', {skip: kind === 'wasm2js'}, async () => {
  const url = new URL(`textapp-${kind}.wasm`, web), bytes = await readFile(url);
  for (const wasm of [new Uint8Array(bytes), url, url.href, await WebAssembly.compile(bytes), undefined]) {
    assertRight(await load(await sample('tagger'), {wasm}), 'tagger');
  }
  const broken = [Uint8Array.of(0, 1, 2), bytes.subarray(0, 5000)];
  for (const wasm of broken) {
    await assert.rejects(load(await sample('tagger'), {wasm}), error => error instanceof TextappError && error.status === 'unsupported');
  }
  await assert.rejects(load(await sample('tagger'), {wasm: new URL('none.wasm', web)}), /none\.wasm/);
  for (const wasm of [5, null, 'http://']) {
    await assert.rejects(load(await sample('tagger'), {wasm}), error => error instanceof TextappError && error.status !== 'bundle');
  }
});

test('the kind of the core is known', async () => {
  const {kernel} = await load(await sample('classifier'));
  assert.equal(kernel, kind === 'wasm2js' ? 'plain' : kernel);
  if (kind === 'relaxed') assert.match(kernel, /^(relaxed|simd)$/); // simd where the engine's relaxed product is wrong
  else if (kind !== 'wasm2js') assert.equal(kernel, kind);
});
