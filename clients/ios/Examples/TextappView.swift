import SwiftUI
import Textapp

/// A text, and what the model of the package says of it. Copy it into an app.
struct TextappView: View {
  @State private var text = "Write a text here."
  private static let model = Result { try Model.bundled() }  // SwiftUI makes the view often

  var body: some View {
    VStack(alignment: .leading, spacing: 16) {
      TextEditor(text: $text).frame(maxHeight: 160)
      switch Result(catching: { try Self.model.get().predict(text, confidence: true) }) {
      case .success(let found): answer(found)
      case .failure(let error): Text(String(describing: error)).foregroundColor(.red)
      }
      Spacer()
    }
    .padding()
  }

  @ViewBuilder private func answer(_ found: Prediction) -> some View {
    ForEach(Array(found.probs.enumerated()), id: \.offset) { _, one in
      ProgressView(value: one.prob) {
        HStack {
          Text(one.label)
          Spacer()
          Text(one.prob, format: .percent.precision(.fractionLength(1)))
        }
      }
      .accessibilityElement(children: .combine)
    }
    if found.probs.isEmpty {
      Text(marked(found.spans)).textSelection(.enabled)
      ForEach(Array(found.spans.enumerated()), id: \.offset) { _, span in
        Text("\(span.type): \(String(text[span.range]))")
      }
      // Plain tags, such as parts of speech
      ForEach(Array(found.tokens.filter { $0.confidence != nil }.enumerated()), id: \.offset) { _, token in
        Text("\(token.tag ?? ""): \(String(text[token.range]))")
      }
    } else {
      Text(weighed(found.tokens))
    }
  }

  /// The text with its spans in colour.
  private func marked(_ spans: [Span]) -> AttributedString {
    var marked = AttributedString(text)
    for span in spans {
      if let range = Range(span.range, in: marked) { marked[range].backgroundColor = .yellow.opacity(0.5) }
    }
    return marked
  }

  /// The text with each token the more coloured, the more it weighed.
  private func weighed(_ tokens: [Token]) -> AttributedString {
    var marked = AttributedString(text)
    let most = tokens.compactMap(\.weight).max() ?? 1
    for token in tokens {
      guard let weight = token.weight, let range = Range(token.range, in: marked) else { continue }
      marked[range].backgroundColor = .accentColor.opacity(Double(weight / most) * 0.6)
    }
    return marked
  }
}
