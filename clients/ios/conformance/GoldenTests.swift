import Foundation
import Textapp
import XCTest

/// Holds the package against the golden files that `clients/conformance/make.py` made of Python's answers. The variable
/// TEXTAPP_CONFORMANCE names their folder; `clients/conformance/README.md` says what is in them.
final class GoldenTests: XCTestCase {
  private static let shown = 3
  private var differences = 0

  static func folder() throws -> URL {
    let name = try XCTUnwrap(
      ProcessInfo.processInfo.environment["TEXTAPP_CONFORMANCE"], "TEXTAPP_CONFORMANCE: must name make.py's folder")
    return URL(fileURLWithPath: name)
  }

  func testTokensAndPlacesAreThoseOfPython() throws {
    let strings = try lines("strings.txt").map { string($0, " ") }
    for fields in try index("tokens") {
      let answers = try lines(fields[1])
      XCTAssertEqual(answers.count, strings.count)
      let model = try Model.load(GoldenTests.folder().appendingPathComponent(fields[3]))
      for (number, answer) in answers.enumerated() {
        let text = strings[number]
        let found = try model.predict(text).tokens.map { Bytes($0.text, $0.range) }
        let at = text.places
        let wanted = items(answer, " ").map { Bytes(row($0), at) }
        equal("\(fields[1]):\(number + 1): tokens", found, wanted)
        for (token, one) in zip(found, items(answer, " ")) { checkUnits(fields[1], token.range, row(one), text) }
      }
      print("\(fields[1]): \(answers.count) lines, \(differences) different")
    }
  }

  func testPredictionsAreThoseOfPython() throws {
    let tasks: [String: Model.Task] = [
      "classification": .classification, "multilabel": .multilabel, "tagging": .tagging,
    ]
    for fields in try index("predictions") {
      let answers = try lines(fields[1])
      let model = try Model.load(GoldenTests.folder().appendingPathComponent(fields[3]))
      XCTAssertEqual(model.task, tasks[fields[4]])
      let tolerance = try XCTUnwrap(Double(fields[6]))
      for (number, answer) in answers.enumerated() {
        let columns = answer.components(separatedBy: "\t")
        let text = string(columns[0], " ")
        let found = try model.predict(text, confidence: true)
        check("\(fields[1]):\(number + 1)", found, columns, text, tolerance)
      }
      print("\(fields[1]): \(answers.count) lines, \(differences) different")
    }
  }

  private func check(_ line: String, _ found: Prediction, _ columns: [String], _ text: String, _ tolerance: Double) {
    let isSure = columns[1] == "1"
    let at = text.places
    equal("\(line): truncated", found.truncated, columns[2] == "1")
    if isSure {
      let labels = (found.label.map { [$0] } ?? []) + found.labels
      equal("\(line): labels", labels.map { Array($0.utf8) }, items(columns[3], " ").map { Array(string($0, ".").utf8) })
    }
    equal("\(line): number of probs", found.probs.count, items(columns[4], " ").count)
    for (one, wanted) in zip(found.probs, items(columns[4], " ")) {
      close("\(line): \(one.label)", one.prob, wanted, tolerance)
    }
    let tokens = items(columns[6], " ").map(row)
    equal("\(line): tokens", found.tokens.map { Bytes($0.text, $0.range) }, tokens.map { Bytes($0, at) })
    for (token, one) in zip(found.tokens, tokens) {
      close("\(line): weight", token.weight.map(Double.init), one[7], tolerance)
      equal("\(line): has a tag", token.tag != nil, one[8] != "")
      if isSure {
        equal("\(line): tag", Array((token.tag ?? "").utf8), Array(string(one[8], ".").utf8))
        close("\(line): confidence of a tag", token.confidence, one[9], tolerance)
      }
    }
    if isSure {
      let spans = items(columns[7], " ").map(row)
      equal("\(line): spans", found.spans.map { Bytes($0.type, $0.range) }, spans.map { Bytes($0, at) })
      for (span, one) in zip(found.spans, spans) {
        close("\(line): confidence of a span", span.confidence, one[7], tolerance)
      }
    }
  }

  /// Whether a range has the offsets of a row in UTF-16 units and bytes, too.
  private func checkUnits(_ file: String, _ range: Range<String.Index>, _ row: [String], _ text: String) {
    let utf16 = [range.lowerBound, range.upperBound].map { "\($0.utf16Offset(in: text))" }
    let utf8 = [range.lowerBound, range.upperBound].map { "\(text.utf8.distance(from: text.startIndex, to: $0))" }
    equal("\(file): UTF-16 units", utf16, [row[2], row[5]])
    equal("\(file): bytes", utf8, [row[3], row[6]])
  }

  private func equal<Value: Equatable>(_ what: String, _ found: Value, _ wanted: Value) {
    guard found != wanted else { return }
    differences += 1
    if differences <= GoldenTests.shown { XCTFail("\(what): \(found) is not \(wanted)") }
  }

  private func close(_ what: String, _ found: Double?, _ wanted: String, _ tolerance: Double) {
    let number = Double(wanted)
    if let found = found, let number = number, abs(found - number) <= tolerance * max(1, abs(number)) { return }
    equal("\(what): is there", found == nil, number == nil)
    if found != nil { equal("\(what): \(found!) is close to \(wanted)", false, true) }
  }

  private func lines(_ file: String) throws -> [String] {
    let content = try String(contentsOf: GoldenTests.folder().appendingPathComponent(file), encoding: .utf8)
    return content.dropLast().components(separatedBy: "\n")
  }

  private func index(_ kind: String) throws -> [[String]] {
    try lines("index.txt").map { $0.components(separatedBy: "\t") }.filter { $0[0] == kind }
  }
}

/// A name and a range that are equal only if their bytes are.
private struct Bytes: Equatable {
  let name: [UInt8]
  let range: Range<String.Index>

  init(_ name: String, _ range: Range<String.Index>) {
    self.name = Array(name.utf8)
    self.range = range
  }

  /// Of a row `NAME:START:END`, with the index of each code point.
  init(_ row: [String], _ at: [String.Index]) {
    self.init(string(row[0], "."), at[Int(row[1])!]..<at[Int(row[4])!])
  }
}

extension String {
  /// The index of each code point, and of the end.
  fileprivate var places: [String.Index] { Array(unicodeScalars.indices) + [endIndex] }
}

/// A string of code points; a lone surrogate is U+FFFD, as no string of Swift has one.
private func string(_ points: String, _ separator: Character) -> String {
  var out = String.UnicodeScalarView()
  for one in items(points, separator) { out.append(Unicode.Scalar(UInt32(one, radix: 16)!) ?? "\u{FFFD}") }
  return String(out)
}

private func items(_ list: String, _ separator: Character) -> [String] { list.split(separator: separator).map(String.init) }

private func row(_ item: String) -> [String] {
  item.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
}
