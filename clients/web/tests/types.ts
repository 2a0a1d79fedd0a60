// Uses every type of textapp.d.ts, for tsc --strict.
import {kind, load, TextappError} from '../textapp.js';
import type {Classification, Files, Kernel, Model, Offsets, Span, Status, TaggedToken, WeightedToken} from '../textapp.js';
import {load as loadWithoutWasm} from '../without-wasm.js';

export async function models(files: Files, dropped: FileList, core: WebAssembly.Module): Promise<Model[]> {
  return [
    await load(files),
    await load(dropped, {wasm: core}),
    await load(new URL('https://example.org/bundle/'), {wasm: new Uint8Array(), selftest: true}),
    await load('bundle', {wasm: '/core.wasm'}),
    await loadWithoutWasm('bundle', {selftest: true}),
  ];
}

export function answer(model: Model, text: string, offsets: Offsets): string {
  const kernel: Kernel = model.kernel, fastest: Kernel = kind();
  if (model.task === 'tagging') {
    const {spans, tokens} = model.predict(text, {offsets, confidence: true});
    const show = (span: Span) => `${span.type} ${span.text} ${span.start.toFixed()} ${span.end} ${span.confidence ?? ''}`;
    return [...spans.map(show), ...tokens.map((token: TaggedToken) => token.tag)].join();
  }
  if (model.task === 'multilabel') return model.predict(text).labels.join();
  const found: Classification = model.predict(text);
  const weights = found.tokens.map((token: WeightedToken) => token.weight ?? 0);
  // @ts-expect-error: labels are of multilabel models
  const none: unknown = found.labels;
  return `${found.label} ${found.probs[found.label]} ${weights} ${found.truncated} ${none} ${kernel} ${fastest}`;
}

export function status(model: Model): Status | undefined {
  try {
    model.selftest();
    model.free();
  } catch (error) {
    if (error instanceof TextappError) return error.status;
  }
  // @ts-expect-error: an unknown unit
  model.predict('', {offsets: 'utf8'});
  // @ts-expect-error: no text
  model.predict(5);
  return undefined;
}
