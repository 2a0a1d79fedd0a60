/** The kind of a failure. `memory`: there is not enough. `bundle`: a file is missing, changed, or breaks a rule of its
 * format. `unsupported`: a right model that the core does not run, or an engine that does not run the core. `argument`:
 * a call breaks a rule. `too-long`: a text of more than 268,435,455 bytes. `selftest`: this engine computes something
 * else than the export has recorded. `file`: a file cannot be read or fetched. */
export type Status = 'memory' | 'bundle' | 'unsupported' | 'argument' | 'too-long' | 'selftest' | 'file';

/** What each call throws. The message is one line that names the file, the place and the rule. */
export class TextappError extends Error {
  readonly status: Status;
}

/** The unit of `start` and `end`: of JavaScript's strings, Unicode code points as in Python, or bytes of UTF-8. */
export type Offsets = 'utf16' | 'code-points' | 'bytes';

/** What stands in a text from `start` to before `end`. */
export interface Place {
  text: string;
  start: number;
  end: number;
}

/** A token of a text with labels. `text` is normalized; `weight` is the attention to it, null without attention. */
export interface WeightedToken extends Place {
  weight: number | null;
}

/** A token with its tag; plain tags have their probability, where it was asked for. */
export interface TaggedToken extends Place {
  tag: string;
  confidence?: number;
}

/** An entity or a slot, and the probability that exactly this span is right, where it was asked for. */
export interface Span extends Place {
  type: string;
  confidence?: number;
}

/** Of the task `classification`. `probs` has the probability of each label. `truncated` says whether the text had more
 * tokens than the model reads, and was cut there. */
export interface Classification {
  label: string;
  probs: Record<string, number>;
  tokens: WeightedToken[];
  truncated: boolean;
}

/** Of the task `multilabel`: all labels of the text, in the order of `model.labels`. */
export interface Multilabel {
  labels: string[];
  probs: Record<string, number>;
  tokens: WeightedToken[];
  truncated: boolean;
}

/** Of the task `tagging`. There are no spans where tags are plain, such as parts of speech. */
export interface Tagging {
  spans: Span[];
  tokens: TaggedToken[];
}

export interface PredictOptions {
  /** By default `utf16`. */
  offsets?: Offsets;
  /** Whether to compute `confidence`; decoding takes about five times as long. */
  confidence?: boolean;
}

interface LoadedModel<Task extends string, Prediction> {
  readonly task: Task;
  /** The labels, or the tags of tokens, by number. */
  readonly labels: readonly string[];
  /** The instructions that the core uses here. */
  readonly kernel: Kernel;
  /** Predicts one text. The object is that of a line of `textapp predict --json`. A lone surrogate counts as U+FFFD. */
  predict(text: string, options?: PredictOptions): Prediction;
  /**
   * Predicts the texts of selftest.json, and throws at the first difference. Of a bundle from a URL this file is fetched
   * only with `selftest: true` of `load`.
   */
  selftest(): void;
  /** Gives the memory back, as soon as the engine collects it. */
  free(): void;
}

export type Kernel = 'relaxed' | 'simd' | 'plain';
export type Classifier = LoadedModel<'classification', Classification>;
export type MultilabelClassifier = LoadedModel<'multilabel', Multilabel>;
export type Tagger = LoadedModel<'tagging', Tagging>;
/** `model.task` tells which. */
export type Model = Classifier | MultilabelClassifier | Tagger;

/** The files of a bundle, by name. */
export type Files = Record<string, Uint8Array>;

export interface LoadOptions {
  /** The core: its bytes, its URL, or its module; by default the file beside textapp.js that is the fastest here. */
  wasm?: Uint8Array | ArrayBuffer | string | URL | WebAssembly.Module;
  /** Whether to fetch selftest.json from a URL too; by default false. */
  selftest?: boolean;
}

/** Loads a bundle, from files that were read, from `File` objects such as those of a dropped folder, or from the URL
 * of its folder; in Node also from its path. */
export function load(source: Files | Iterable<File> | string | URL, options?: LoadOptions): Promise<Model>;

/** The fastest kind of the core that this engine runs. */
export function kind(): Kernel;
