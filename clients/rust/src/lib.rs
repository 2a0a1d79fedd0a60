//! Text to labels, tags and spans with a bundle that `textapp export` wrote.
//!
//! ```no_run
//! let model = textapp::Model::load("bundle")?;
//! let prediction = model.predict("a good film")?;
//! println!("{:?} {:?}", prediction.label, prediction.spans);
//! # Ok::<(), textapp::Error>(())
//! ```
//!
//! A [`Model`] is shared by threads; each thread that predicts many texts has a [`Context`].

mod ffi;

use std::alloc::{alloc, dealloc, Layout};
use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_void};
use std::path::Path;
use std::sync::Arc;
use std::{error, fmt, fs, io, ptr, slice};

/// Files that a bundle may have.
const FILES: [&str; 10] = [
    "bundle.json",
    "model.tflite",
    "vocabulary.txt",
    "characters.txt",
    "labels.txt",
    "tags.txt",
    "crf.json",
    "ngrams.json",
    "ngrams.bin",
    "selftest.json",
];
const ALIGNMENT: usize = 64; // bytes
const SHORT: usize = 1 << 10; // bytes of text: no context is made for less
const LONG: usize = 1 << 16; // bytes of text: memory for more is not kept, as it is many times the text

/// What kind of answer a model gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// One label a text.
    Classification,
    /// Any number of labels a text.
    Multilabel,
    /// A tag for each token, and the spans that the tags mean.
    Tagging,
}

/// The unit of `start` and `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offsets {
    /// Bytes of UTF-8, by which Rust slices a text: `&text[span.start..span.end]`.
    #[default]
    Bytes,
    /// Units of UTF-16, as JavaScript, Java and Swift's `NSString` count.
    Utf16,
    /// Code points, as Python counts.
    CodePoints,
}

/// How to predict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub offsets: Offsets,
    /// Whether tokens and spans of a tagger get their confidence; decoding takes about five times as long.
    pub confidence: bool,
}

/// What a model says of a text. It owns its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The most probable label; `None` unless the task is [`Task::Classification`].
    pub label: Option<Arc<str>>,
    /// The labels of the text; empty unless the task is [`Task::Multilabel`].
    pub labels: Vec<Arc<str>>,
    /// The probability of each label, from 0 to 1, in the order of [`Model::labels`]; empty for a tagger.
    pub probs: Vec<(Arc<str>, f64)>,
    /// The tokens that the model read.
    pub tokens: Vec<Token>,
    /// Entities or slots; empty unless the task is [`Task::Tagging`].
    pub spans: Vec<Span>,
    /// Whether the text had more tokens than the model reads, and was cut there; taggers read all.
    pub truncated: bool,
}

/// A token of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// The token as the bundle's tokenizer gives it: normalized.
    pub text: String,
    /// The place of its first unit in the original text, and the place after its last.
    pub start: usize,
    pub end: usize,
    /// Attention from 0 to 1; `None` for a tagger, and for a model without attention.
    pub weight: Option<f32>,
    /// `None` unless the task is [`Task::Tagging`].
    pub tag: Option<Arc<str>>,
    /// The probability of a plain tag; `None` unless it was asked for.
    pub confidence: Option<f64>,
}

/// An entity or a slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its type, such as PER; empty where tags have no types.
    pub kind: String,
    /// The place of its first unit in the original text, and the place after its last.
    pub start: usize,
    pub end: usize,
    /// The probability that exactly this span is right; `None` unless it was asked for.
    pub confidence: Option<f64>,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// There is not enough memory.
    Memory,
    /// A file is missing, changed, or breaks a rule of its format.
    Bundle,
    /// A right model with an operator that the core does not have.
    Unsupported,
    /// The text is longer than any context can be made for.
    TooLong,
    /// This build computes something else than `textapp export` has recorded.
    Selftest,
    /// A call breaks a rule of the core: an error in this crate.
    Argument,
}

/// A failed call. It prints one line that names the file, the place and the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub status: Status,
    message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl error::Error for Error {}

/// A bundle that is ready to predict. A clone is the same model; threads share it.
#[derive(Clone)]
pub struct Model(Arc<Loaded>);

struct Loaded {
    model: *const ffi::Model,
    labels: Vec<Arc<str>>,
    // What `model` points into: the core reads the files in place.
    _files: Vec<Cow<'static, [u8]>>,
    _blocks: Vec<Block>,
}

// The core only reads a model after it is loaded, and has no other state: see `core/textapp.h`.
unsafe impl Send for Loaded {}
unsafe impl Sync for Loaded {}

impl Model {
    /// Reads the files of a bundle's folder.
    pub fn load(folder: impl AsRef<Path>) -> Result<Model, Error> {
        let mut files = Vec::new();
        for name in FILES {
            let path = folder.as_ref().join(name);
            match fs::read(&path) {
                Ok(content) => files.push((name, content)),
                Err(error) if error.kind() == io::ErrorKind::NotFound && name != "bundle.json" => {}
                Err(error) => return Err(failed(Status::Bundle, format!("{}: {}", path.display(), error))),
            }
        }
        let add_folder =
            |error: Error| failed(error.status, format!("{}/{}", folder.as_ref().display(), error.message));
        Model::from_files(files).map_err(add_folder)
    }

    /// Takes the files of a bundle with their names, such as `("bundle.json", &include_bytes!("bundle.json")[..])`.
    pub fn from_files<N, C>(files: impl IntoIterator<Item = (N, C)>) -> Result<Model, Error>
    where
        N: Into<Vec<u8>>,
        C: Into<Cow<'static, [u8]>>,
    {
        if unsafe { ffi::textapp_abi() } != ffi::ABI {
            return Err(failed(Status::Argument, "core/textapp.h: is of another version than src/ffi.rs".to_string()));
        }
        let (mut names, mut contents) = (Vec::new(), Vec::new());
        for (name, content) in files {
            let name =
                CString::new(name).map_err(|_| failed(Status::Argument, "a file's name has a zero".to_string()))?;
            names.push(name);
            contents.push(content.into());
        }
        let of = |(name, content): (&CString, &Cow<'static, [u8]>)| ffi::File {
            name: name.as_ptr(),
            data: content.as_ptr().cast(),
            size: content.len(),
        };
        let files: Vec<ffi::File> = names.iter().zip(&contents).map(of).collect();
        let (mut blocks, mut model, mut message) = (Vec::<Block>::new(), ptr::null_mut(), empty());
        let options = ffi::Options {
            allocate,
            user: (&mut blocks as *mut Vec<Block>).cast(),
            features: unsafe { ffi::textapp_features() } & !missing_features(),
            most_memory: 0,
        };
        // The files and blocks live as long as `Loaded`, and are moved, which leaves their bytes where they are.
        let status = unsafe { ffi::textapp_load(files.as_ptr(), files.len(), &options, &mut model, &mut message) };
        check(status, &message)?;
        let count = unsafe { ffi::textapp_label_count(model) };
        let name = |number| unsafe { CStr::from_ptr(ffi::textapp_label(model, number)) };
        let labels = (0..count).map(|number| name(number).to_string_lossy().into()).collect();
        Ok(Model(Arc::new(Loaded { model, labels, _files: contents, _blocks: blocks })))
    }

    pub fn task(&self) -> Task {
        match unsafe { ffi::textapp_model_task(self.0.model) } {
            0 => Task::Classification,
            1 => Task::Multilabel,
            _ => Task::Tagging,
        }
    }

    /// The labels, or the tags that tokens get.
    pub fn labels(&self) -> &[Arc<str>] {
        &self.0.labels
    }

    /// Predicts one text, with offsets in bytes and without confidence. For many texts, keep a [`Context`].
    pub fn predict(&self, text: &str) -> Result<Prediction, Error> {
        self.context().predict(text, Options::default())
    }

    /// Memory for one prediction at a time.
    pub fn context(&self) -> Context {
        Context { model: self.clone(), memory: None, pointer: ptr::null_mut(), longest: 0 }
    }

    /// Predicts the texts of selftest.json, which `textapp export` writes, and compares. Run it once on a new device.
    pub fn selftest(&self) -> Result<(), Error> {
        let (mut context, mut message) = (self.context(), empty());
        context.make_room(ffi::SELFTEST_TEXT)?;
        check(unsafe { ffi::textapp_selftest(context.pointer, &mut message) }, &message)
    }
}

/// Memory for one prediction at a time, of a model. It grows with the text. A thread has its own.
pub struct Context {
    model: Model,
    memory: Option<Block>,
    pointer: *mut ffi::Context, // into `memory`, null before the first text
    longest: usize,             // bytes of text that it has room for
}

// A context is used by one call at a time (`&mut self`), and the core does not ask which thread calls.
unsafe impl Send for Context {}

impl Context {
    /// Predicts one text.
    pub fn predict(&mut self, text: &str, options: Options) -> Result<Prediction, Error> {
        self.make_room(text.len())?;
        let unit = match options.offsets {
            Offsets::Bytes => 0,
            Offsets::Utf16 => ffi::UTF16,
            Offsets::CodePoints => ffi::CODE_POINTS,
        };
        let flags = unit | if options.confidence { ffi::CONFIDENCE } else { 0 };
        let (mut found, mut message) = (ptr::null(), empty());
        let start = text.as_ptr().cast();
        // The prediction lies in `memory` until the next call; all of it is copied here.
        unsafe {
            check(ffi::textapp_predict(self.pointer, start, text.len(), flags, &mut found, &mut message), &message)?;
            Ok(self.model.copied(&*found))
        }
    }

    /// Makes the context fit for texts of `size` bytes.
    fn make_room(&mut self, size: usize) -> Result<(), Error> {
        let is_kept = self.longest <= LONG || size > LONG;
        if self.memory.is_some() && size <= self.longest && is_kept {
            return Ok(());
        }
        let longest = if size > LONG { size } else { size.max(SHORT).next_power_of_two() };
        let needed = unsafe { ffi::textapp_context_size(self.model.0.model, longest) };
        if needed == 0 {
            return Err(failed(Status::TooLong, format!("text: {} bytes are more than the core can read", size)));
        }
        self.memory = None; // before the new one, so that both never take memory
        let no_memory = || failed(Status::Memory, format!("text: no memory for a text of {} bytes", size));
        let block = Block::new(needed).ok_or_else(no_memory)?;
        self.pointer = unsafe { ffi::textapp_context_init(self.model.0.model, block.memory.cast(), needed, longest) };
        if self.pointer.is_null() {
            return Err(failed(Status::Argument, "textapp_context_init: refuses the memory".to_string()));
        }
        (self.memory, self.longest) = (Some(block), longest);
        Ok(())
    }
}

impl Model {
    /// A prediction with data of its own. `found` is one that the core has just made with this model.
    unsafe fn copied(&self, found: &ffi::Prediction) -> Prediction {
        let labels = self.labels();
        let named = |number: usize| labels[number].clone();
        let chosen = items(found.chosen, found.label_count).iter().enumerate();
        let has_labels = !found.probs.is_null();
        let token = |one: &ffi::Token| Token {
            text: string(one.text, one.length),
            start: one.start,
            end: one.end,
            weight: (has_labels && one.weight >= 0.0).then_some(one.weight),
            tag: usize::try_from(one.tag).ok().map(named),
            confidence: (one.confidence >= 0.0).then_some(one.confidence),
        };
        let span = |one: &ffi::Span| Span {
            kind: string(one.kind, one.kind_length),
            start: one.start,
            end: one.end,
            confidence: (one.confidence >= 0.0).then_some(one.confidence),
        };
        Prediction {
            label: (has_labels && found.chosen.is_null()).then(|| named(found.label as usize)),
            labels: chosen.filter(|(_, is_chosen)| **is_chosen != 0).map(|(number, _)| named(number)).collect(),
            probs: labels.iter().cloned().zip(items(found.probs, found.label_count).iter().copied()).collect(),
            tokens: items(found.tokens, found.token_count).iter().map(token).collect(),
            spans: items(found.spans, found.span_count).iter().map(span).collect(),
            truncated: found.truncated != 0,
        }
    }
}

/// Memory for the core.
struct Block {
    memory: *mut u8,
    layout: Layout,
}

impl Block {
    /// `None` where memory is out.
    fn new(size: usize) -> Option<Block> {
        let layout = Layout::from_size_align(size.max(1), ALIGNMENT).ok()?;
        let memory = unsafe { alloc(layout) };
        (!memory.is_null()).then(|| Block { memory, layout })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        unsafe { dealloc(self.memory, self.layout) }
    }
}

/// The kernels that this processor lacks, of those in the library. On x86 the core asks the processor itself.
fn missing_features() -> u32 {
    #[cfg(target_arch = "aarch64")]
    if !std::arch::is_aarch64_feature_detected!("dotprod") {
        return ffi::NEON_DOT;
    }
    0
}

/// Gives the core memory for a model; `user` is the list that frees it.
unsafe extern "C" fn allocate(user: *mut c_void, size: usize) -> *mut c_void {
    let blocks = &mut *user.cast::<Vec<Block>>();
    match (blocks.try_reserve(1), Block::new(size)) {
        (Ok(()), Some(block)) => {
            let memory = block.memory;
            blocks.push(block);
            memory.cast()
        }
        _ => ptr::null_mut(),
    }
}

/// The items of an array of the core, which may be null where it is empty.
unsafe fn items<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if first.is_null() {
        &[]
    } else {
        slice::from_raw_parts(first, count)
    }
}

unsafe fn string(start: *const c_char, length: usize) -> String {
    String::from_utf8_lossy(items(start.cast(), length)).into_owned()
}

fn empty() -> ffi::Message {
    ffi::Message { text: [0; 512] }
}

fn failed(status: Status, message: String) -> Error {
    Error { status, message }
}

/// The error that a call of the core reports.
fn check(status: c_int, message: &ffi::Message) -> Result<(), Error> {
    let status = match status {
        0 => return Ok(()),
        1 => Status::Memory,
        2 => Status::Bundle,
        3 => Status::Unsupported,
        5 => Status::TooLong,
        6 => Status::Selftest,
        _ => Status::Argument,
    };
    let line = unsafe { CStr::from_ptr(message.text.as_ptr()) };
    Err(failed(status, line.to_string_lossy().into_owned()))
}
