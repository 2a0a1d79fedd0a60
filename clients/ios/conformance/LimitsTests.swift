import Foundation
import Textapp
import XCTest

/// Long, empty and broken input, threads, and places inside of characters; with the bundles of TEXTAPP_CONFORMANCE.
final class LimitsTests: XCTestCase {
  private func bundle(_ name: String) throws -> URL {
    try GoldenTests.folder().appendingPathComponent("bundles/\(name)")
  }

  private func message(_ call: () throws -> Any) -> String {
    do {
      XCTFail("no error: \(try call())")
      return ""
    } catch let error as TextappError {
      XCTAssertFalse(error.message.isEmpty || error.message.contains("\n"))
      return error.message
    } catch {
      XCTFail("another error: \(error)")
      return ""
    }
  }

  func testAPlaceMayLieInsideOfACharacter() throws {
    let model = try Model.load(bundle("tokens-char-none-cased"))
    let text = "a\r\nb e\u{301} 👨‍👩‍👧 🇩🇪 .\u{308}"
    let found = try model.predict(text)
    XCTAssertGreaterThan(found.tokens.count, 8)
    for token in found.tokens {
      XCTAssertEqual(Array(text[token.range].utf8), Array(token.text.utf8))
    }
    XCTAssertTrue(found.tokens.contains { Array($0.text.utf8) == Array("\u{1F1EA}".utf8) })  // half of a flag
  }

  func testTasksShareAModel() throws {
    let model = try Model.load(bundle("tagger"))
    let texts = (1...40).map { String(repeating: "Ms Anbeda met \($0) in 北京 . ", count: $0) }
    let wanted = try texts.map { try model.predict($0) }
    XCTAssertTrue(wanted.contains { !$0.spans.isEmpty })
    let lock = NSLock()
    var different = 0
    DispatchQueue.concurrentPerform(iterations: 160) { number in
      let found = try? model.predict(texts[number % 40])
      lock.lock()
      if found != wanted[number % 40] { different += 1 }
      lock.unlock()
    }
    XCTAssertEqual(different, 0)
  }

  func testATextOfAMegabyteIsRead() throws {
    let text = String(repeating: "Anbeda sang in 北京 👍🏽! ", count: 1 << 15)
    let found = try Model.load(bundle("classifier")).predict(text)
    XCTAssertTrue(found.truncated && found.label != nil)
    let model = try Model.load(bundle("tagger"))
    let last = try XCTUnwrap(model.predict(text).tokens.last)
    XCTAssertEqual(try model.predict("Ms").tokens.count, 1)
    XCTAssertEqual(text[last.range], "!")
    XCTAssertEqual(last.range.upperBound, text.index(before: text.endIndex))
  }

  func testATextWithoutTokensHasALabelAndNoSpans() throws {
    let (classifier, tagger) = (try Model.load(bundle("classifier")), try Model.load(bundle("tagger")))
    for text in ["", " \t\n", "\0\u{FEFF}", "\u{200B}\u{AD}"] {
      let label = try classifier.predict(text)
      XCTAssertTrue(label.tokens.isEmpty && classifier.labels.contains(label.label ?? "no label"))
      XCTAssertEqual(label.probs.map(\.prob).reduce(0, +), 1, accuracy: 1e-12)
      let spans = try tagger.predict(text)
      XCTAssertTrue(spans.tokens.isEmpty && spans.spans.isEmpty && spans.probs.isEmpty)
    }
  }

  func testAChangedBundleIsRefusedInOneLineOrPredicts() throws {
    let name = try XCTUnwrap(
      ProcessInfo.processInfo.environment["TEXTAPP_MUTANTS"], "TEXTAPP_MUTANTS: must name the folder of clients/check.py")
    let text = String(repeating: "Ms Anbeda sang in 北京 👍🏽! good film", count: 20)
    var (refused, loaded) = (0, 0)
    for bundle in try FileManager.default.contentsOfDirectory(
      at: URL(fileURLWithPath: name), includingPropertiesForKeys: nil)
    {
      do {
        let found = try Model.load(bundle).predict(text)
        loaded += 1
        XCTAssertTrue(found.tokens.allSatisfy { !text[$0.range].isEmpty })
      } catch let error as TextappError {
        refused += 1
        XCTAssertFalse(error.message.isEmpty || error.message.contains("\n"))
      }
    }
    XCTAssertTrue(refused > 10 && loaded > 10, "\(refused) refused, \(loaded) loaded")
  }

  func testABrokenBundleIsRefusedInOneLine() throws {
    XCTAssertTrue(message { try Model(files: [:]) }.hasPrefix("bundle.json"))
    var whole: [String: Data] = [:]
    for file in try FileManager.default.contentsOfDirectory(at: bundle("tagger"), includingPropertiesForKeys: nil) {
      whole[file.lastPathComponent] = try Data(contentsOf: file)
    }
    for (name, content) in whole {
      var (fewer, cut, changed) = (whole, whole, whole)
      fewer[name] = nil
      cut[name] = content.prefix(content.count / 2)
      changed[name]![1] ^= 1
      for files in [fewer, cut, changed] {
        let found = message { try Model(files: files) }
        XCTAssertTrue(found.hasPrefix(name), found)
      }
    }
    XCTAssertFalse(message { try Model(files: whole.merging(["a\0b": Data()]) { $1 }) }.isEmpty)
    let missing = try bundle("no such").appendingPathComponent("bundle.json").path
    XCTAssertTrue(message { try Model.load(bundle("no such")) }.hasPrefix("\(missing): "))
    XCTAssertTrue(message { try Model.load(bundle("tagger")).selftest() }.contains("needs a bundle with selftest.json"))
  }
}
