import CTextapp
import Foundation

/// A bundle of textapp that is ready to predict. Threads and tasks share it.
///
///     let model = try Model.bundled()
///     let found = try model.predict("a good film")
public final class Model: @unchecked Sendable {
  /// What kind of answer a model gives.
  public enum Task: Sendable {
    /// One label a text.
    case classification
    /// Any number of labels a text.
    case multilabel
    /// A tag for each token, and the spans that the tags mean.
    case tagging
  }

  public let task: Task
  /// The labels, or the tags that tokens get.
  public let labels: [String]

  // The core only reads `model` after it is loaded, and `memory` is not changed then. `free` is read under `lock`.
  private let model: OpaquePointer
  private let memory: Memory
  private let lock = NSLock()
  private var free: [Context] = []

  private static let names = [
    "bundle.json", "model.tflite", "vocabulary.txt", "characters.txt", "labels.txt", "tags.txt", "crf.json",
    "ngrams.json", "ngrams.bin", "selftest.json",
  ]

  /// The bundle in this package.
  public static func bundled() throws -> Model {
    guard let folder = Bundle.module.url(forResource: "bundle", withExtension: nil) else {
      throw TextappError(status: .bundle, message: "bundle: the package lacks this folder")
    }
    return try load(folder)
  }

  /// Reads the files of a bundle's folder.
  public static func load(_ folder: URL) throws -> Model {
    var files: [String: Data] = [:]
    for name in names {
      let file = folder.appendingPathComponent(name)
      if name != "bundle.json" && !FileManager.default.fileExists(atPath: file.path) { continue }
      do {
        files[name] = try Data(contentsOf: file)
      } catch {
        throw TextappError(status: .bundle, message: "\(file.path): \(error.localizedDescription)")
      }
    }
    do {
      return try Model(files: files)
    } catch let error as TextappError {
      throw TextappError(status: error.status, message: "\(folder.path)/\(error.message)")
    }
  }

  /// Takes the files of a bundle, with their names.
  public init(files: [String: Data]) throws {
    guard textapp_abi() == TEXTAPP_ABI else {
      throw TextappError(status: .argument, message: "textapp.c: is of another version than textapp.h")
    }
    memory = Memory()
    var parts: [textapp_file] = []
    for (name, content) in files {
      guard !name.utf8.contains(0), let copy = memory.copied(Array(name.utf8) + [0]), let data = memory.copied(content)
      else { throw TextappError(status: .argument, message: "a file's name has a zero, or there is no memory for it") }
      parts.append(textapp_file(name: copy.assumingMemoryBound(to: CChar.self), data: data, size: content.count))
    }
    var options = textapp_options(
      allocate: { user, size in Unmanaged<Memory>.fromOpaque(user!).takeUnretainedValue().allocate(size) },
      user: Unmanaged.passUnretained(memory).toOpaque(), features: textapp_usable_features(), most_memory: 0)
    var message = textapp_message()
    var loaded: OpaquePointer?
    try check(textapp_load(parts, parts.count, &options, &loaded, &message), message)
    guard let loaded = loaded else {
      throw TextappError(status: .argument, message: "textapp_load: gives no model")
    }
    model = loaded
    switch textapp_model_task(loaded) {
    case TEXTAPP_CLASSIFICATION: task = .classification
    case TEXTAPP_MULTILABEL: task = .multilabel
    default: task = .tagging
    }
    labels = (0..<textapp_label_count(loaded)).map { String(cString: textapp_label(loaded, $0)) }
  }

  /// Predicts one text.
  ///
  /// - Parameter confidence: Whether tokens and spans of a tagger get their confidence; decoding takes about five times
  ///   as long.
  /// - Throws: `TextappError`.
  public func predict(_ text: String, confidence: Bool = false) throws -> Prediction {
    var bytes = text  // `text` keeps its form, as ranges must be places in it
    return try bytes.withUTF8 { bytes in
      let context = try take(bytes.count)
      defer { give(context) }
      var message = textapp_message()
      var found: UnsafePointer<textapp_prediction>?
      let flags = confidence ? UInt32(TEXTAPP_CONFIDENCE) : 0
      let status = bytes.withMemoryRebound(to: CChar.self) {
        textapp_predict(context.pointer, $0.baseAddress, $0.count, flags, &found, &message)
      }
      try check(status, message)
      return prediction(found!.pointee, of: text)
    }
  }

  /// Predicts the texts of selftest.json, which `textapp export` writes, and compares. Run it once on a new device.
  public func selftest() throws {
    let context = try take(Int(TEXTAPP_SELFTEST_TEXT))
    defer { give(context) }
    var message = textapp_message()
    try check(textapp_selftest(context.pointer, &message), message)
  }

  /// A prediction with data of its own. `found` lies in a context.
  private func prediction(_ found: textapp_prediction, of text: String) -> Prediction {
    let count = found.label_count
    let probs = UnsafeBufferPointer(start: found.probs, count: found.probs == nil ? 0 : count)
    let chosen = UnsafeBufferPointer(start: found.chosen, count: found.chosen == nil ? 0 : count)
    var places = Places(text)
    let tokens = UnsafeBufferPointer(start: found.tokens, count: found.token_count).map { token in
      Token(
        text: string(token.text, token.length), range: places.range(token.start, token.end),
        weight: found.probs != nil && token.weight >= 0 ? token.weight : nil,
        tag: token.tag < 0 ? nil : labels[Int(token.tag)], confidence: token.confidence < 0 ? nil : token.confidence)
    }
    places = Places(text)
    let spans = UnsafeBufferPointer(start: found.spans, count: found.span_count).map { span in
      Span(
        type: string(span.type, span.type_length), range: places.range(span.start, span.end),
        confidence: span.confidence < 0 ? nil : span.confidence)
    }
    return Prediction(
      label: found.probs != nil && found.chosen == nil ? labels[Int(found.label)] : nil,
      labels: zip(labels, chosen).filter { $0.1 != 0 }.map { $0.0 },
      probs: zip(labels, probs).map { LabelProb(label: $0, prob: $1) }, tokens: tokens, spans: spans,
      truncated: found.truncated != 0)
  }

  /// A context for texts of `size` bytes that no other thread uses.
  private func take(_ size: Int) throws -> Context {
    lock.lock()
    let last = free.popLast()
    lock.unlock()
    if let context = last, context.longest >= size { return context }
    return try Context(of: model, for: size)
  }

  /// Keeps a context for the next call.
  private func give(_ context: Context) {
    guard context.isKept else { return }
    lock.lock()
    free.append(context)
    lock.unlock()
  }
}

/// Finds places of a text from bytes of UTF-8. Each search begins at the last place, so that a text that is not stored as
/// UTF-8 is read once.
private struct Places {
  private let utf8: String.UTF8View
  private var offset = 0
  private var index: String.Index

  init(_ text: String) {
    utf8 = text.utf8
    index = utf8.startIndex
  }

  mutating func range(_ start: Int, _ end: Int) -> Range<String.Index> {
    let first = place(start)
    return first..<place(end)
  }

  private mutating func place(_ wanted: Int) -> String.Index {
    index = utf8.index(index, offsetBy: wanted - offset)
    offset = wanted
    return index
  }
}

private func string(_ start: UnsafePointer<CChar>?, _ length: Int) -> String {
  guard let start = start else { return "" }
  return String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
}
