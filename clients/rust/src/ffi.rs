//! The functions and structures of `core/textapp.h` that this crate uses; their meaning is said there.

use std::os::raw::{c_char, c_int, c_void};

/// `TEXTAPP_ABI`, of the structures below.
pub const ABI: c_int = 1;
pub const CODE_POINTS: u32 = 1 << 0;
pub const UTF16: u32 = 1 << 1;
pub const CONFIDENCE: u32 = 1 << 2;
#[cfg(target_arch = "aarch64")]
pub const NEON_DOT: u32 = 1 << 9;
/// `TEXTAPP_SELFTEST_TEXT`, in bytes.
pub const SELFTEST_TEXT: usize = 1024;

#[repr(C)]
pub struct Model {
    _private: [u8; 0],
}

#[repr(C)]
pub struct Context {
    _private: [u8; 0],
}

#[repr(C)]
pub struct Message {
    pub text: [c_char; 512],
}

#[repr(C)]
pub struct File {
    pub name: *const c_char,
    pub data: *const c_void,
    pub size: usize,
}

#[repr(C)]
pub struct Options {
    pub allocate: unsafe extern "C" fn(user: *mut c_void, size: usize) -> *mut c_void,
    pub user: *mut c_void,
    pub features: u32,
    pub most_memory: usize,
}

#[repr(C)]
pub struct Token {
    pub text: *const c_char,
    pub length: usize,
    pub start: usize,
    pub end: usize,
    pub weight: f32,
    pub tag: i32,
    pub confidence: f64,
}

#[repr(C)]
pub struct Span {
    pub kind: *const c_char,
    pub kind_length: usize,
    pub start: usize,
    pub end: usize,
    pub confidence: f64,
}

#[repr(C)]
pub struct Prediction {
    pub label: i32,
    pub label_count: usize,
    pub probs: *const f64,
    pub chosen: *const u8,
    pub logits: *const f32,
    pub token_count: usize,
    pub tokens: *const Token,
    pub span_count: usize,
    pub spans: *const Span,
    pub truncated: c_int,
}

extern "C" {
    pub fn textapp_abi() -> c_int;
    pub fn textapp_features() -> u32;
    pub fn textapp_load(
        files: *const File,
        count: usize,
        options: *const Options,
        model: *mut *mut Model,
        message: *mut Message,
    ) -> c_int;
    pub fn textapp_model_task(model: *const Model) -> c_int;
    pub fn textapp_label_count(model: *const Model) -> usize;
    pub fn textapp_label(model: *const Model, number: usize) -> *const c_char;
    pub fn textapp_context_size(model: *const Model, longest_text: usize) -> usize;
    pub fn textapp_context_init(
        model: *const Model,
        memory: *mut c_void,
        size: usize,
        longest_text: usize,
    ) -> *mut Context;
    pub fn textapp_predict(
        context: *mut Context,
        text: *const c_char,
        length: usize,
        flags: u32,
        prediction: *mut *const Prediction,
        message: *mut Message,
    ) -> c_int;
    pub fn textapp_selftest(context: *mut Context, message: *mut Message) -> c_int;
}
