import Foundation

/// What a model says of a text.
public struct Prediction: Sendable, Equatable {
  /// The most probable label; nil unless the task is `.classification`.
  public let label: String?
  /// The labels of the text; empty unless the task is `.multilabel`.
  public let labels: [String]
  /// The probability of each label, in the order of `Model.labels`; empty for a tagger. It is no dictionary, because
  /// strings of Swift are equal where labels differ: "é" and "e" with U+0301.
  public let probs: [LabelProb]
  /// The tokens that the model read.
  public let tokens: [Token]
  /// Entities or slots; empty unless the task is `.tagging`.
  public let spans: [Span]
  /// Whether the text had more tokens than the model reads, and was cut there; taggers read all.
  public let truncated: Bool
}

/// A label with its probability, from 0 to 1.
public struct LabelProb: Sendable, Equatable {
  public let label: String
  public let prob: Double
}

/// A token of a text.
public struct Token: Sendable, Equatable {
  /// The token as the bundle's tokenizer gives it: normalized.
  public let text: String
  /// Its place in the original text. It may begin or end inside of a `Character`, at the "\n" of "\r\n" for example.
  public let range: Range<String.Index>
  /// Attention from 0 to 1; nil for a tagger, and for a model without attention.
  public let weight: Float?
  /// Its tag; nil unless the task is `.tagging`.
  public let tag: String?
  /// The probability of a plain tag; nil unless it was asked for.
  public let confidence: Double?
}

/// An entity or a slot.
public struct Span: Sendable, Equatable {
  /// Its type, such as PER; empty where tags have no types.
  public let type: String
  /// Its place in the original text.
  public let range: Range<String.Index>
  /// The probability that exactly this span is right; nil unless it was asked for.
  public let confidence: Double?
}

/// A failed call. Its message is one line that names the file, the place and the rule.
public struct TextappError: Error, Sendable, Equatable {
  /// The numbers of `textapp_status` in textapp.h.
  public enum Status: UInt32, Sendable {
    /// There is not enough memory.
    case memory = 1
    /// A file is missing, changed, or breaks a rule of its format.
    case bundle = 2
    /// A right model with an operator that the core does not have.
    case unsupported = 3
    /// A call breaks a rule of the core: an error in this package.
    case argument = 4
    /// The text is longer than any context can be made for.
    case tooLong = 5
    /// This build computes something else than `textapp export` has recorded.
    case selftest = 6
  }

  public let status: Status
  public let message: String
}

extension TextappError: LocalizedError, CustomStringConvertible {
  public var description: String { message }
  public var errorDescription: String? { message }
}
