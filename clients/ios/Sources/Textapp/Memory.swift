import CTextapp
import Foundation

/// Memory of the core for a model: files, which it reads in place, and what it asks for. It is freed in one go.
final class Memory {
  private var blocks: [UnsafeMutableRawPointer] = []

  /// At least `size` bytes; nil where memory is out.
  func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
    guard let block = newBlock(size) else { return nil }
    blocks.append(block)
    return block
  }

  /// A copy of bytes.
  func copied<Bytes: Collection>(_ bytes: Bytes) -> UnsafeMutableRawPointer? where Bytes.Element == UInt8 {
    guard let block = allocate(bytes.count) else { return nil }
    UnsafeMutableRawBufferPointer(start: block, count: bytes.count).copyBytes(from: bytes)
    return block
  }

  deinit {
    blocks.forEach { Foundation.free($0) }
  }
}

/// Memory of the core for one prediction at a time, of texts of at most `longest` bytes.
final class Context {
  let longest: Int
  let pointer: OpaquePointer
  private let block: UnsafeMutableRawPointer

  private static let short = 1024  // bytes of text: no context is made for less

  init(of model: OpaquePointer, for size: Int) throws {
    longest = size <= Context.short ? Context.short : size + size / 2  // the next text may be somewhat longer
    let needed = textapp_context_size(model, longest)
    guard needed > 0 else {
      throw TextappError(status: .tooLong, message: "text: \(size) bytes are more than the core can read")
    }
    guard let block = newBlock(needed) else {
      throw TextappError(status: .memory, message: "text: no memory for a text of \(size) bytes")
    }
    guard let pointer = textapp_context_init(model, block, needed, longest) else {
      Foundation.free(block)
      throw TextappError(status: .argument, message: "textapp_context_init: refuses the memory")
    }
    self.block = block
    self.pointer = pointer
  }

  deinit {
    Foundation.free(block)
  }
}

/// At least `size` bytes, aligned to 64; nil where memory is out.
private func newBlock(_ size: Int) -> UnsafeMutableRawPointer? {
  var block: UnsafeMutableRawPointer?
  return posix_memalign(&block, 64, max(size, 1)) == 0 ? block : nil
}

/// Throws the error that a call of the core reports.
func check(_ status: textapp_status, _ message: textapp_message) throws {
  if status == TEXTAPP_OK { return }
  let line = withUnsafeBytes(of: message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  throw TextappError(status: TextappError.Status(rawValue: UInt32(status.rawValue)) ?? .argument, message: line)
}
