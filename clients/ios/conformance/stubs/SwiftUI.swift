// The declarations of SwiftUI that Examples/TextappView.swift uses, so that its types are checked where there is no
// SwiftUI. Nothing here draws.
@_exported import Foundation

public protocol View {
  associatedtype Body: View
  @ViewBuilder var body: Body { get }
}

public protocol Primitive: View where Body == Never {}

extension Primitive {
  public var body: Never { fatalError("a stub") }
}

extension Never: View {
  public var body: Never { fatalError("a stub") }
}

extension Optional: View where Wrapped: View {
  public var body: Never { fatalError("a stub") }
}

@resultBuilder public enum ViewBuilder {
  public static func buildBlock<A: View>(_ a: A) -> A { a }
  public static func buildBlock<A: View, B: View>(_ a: A, _ b: B) -> Two<A, B> { Two() }
  public static func buildBlock<A: View, B: View, C: View>(_ a: A, _ b: B, _ c: C) -> Two<A, Two<B, C>> { Two() }
  public static func buildEither<A: View, B: View>(first: A) -> Two<A, B> { Two() }
  public static func buildEither<A: View, B: View>(second: B) -> Two<A, B> { Two() }
  public static func buildIf<A: View>(_ a: A?) -> A? { a }
}

public struct Two<A: View, B: View>: Primitive {}

public struct Spacer: Primitive {
  public init() {}
}

public struct Text: Primitive {
  public init<S: StringProtocol>(_ text: S) {}
  public init(_ text: AttributedString) {}
  public init<F: FormatStyle>(_ value: F.FormatInput, format: F) where F.FormatOutput == String {}
}

public struct TextEditor: Primitive {
  public init(text: Binding<String>) {}
}

public enum HorizontalAlignment { case leading, center }

public struct VStack<Content: View>: Primitive {
  public init(
    alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> Content
  ) {}
}

public struct HStack<Content: View>: Primitive {
  public init(spacing: CGFloat? = nil, @ViewBuilder content: () -> Content) {}
}

public struct ForEach<Data: RandomAccessCollection, ID: Hashable, Content: View>: Primitive {
  public init(
    _ data: Data, id: KeyPath<Data.Element, ID>, @ViewBuilder content: @escaping (Data.Element) -> Content
  ) {}
}

public struct ProgressView<Label: View>: Primitive {
  public init<V: BinaryFloatingPoint>(value: V?, total: V = 1, @ViewBuilder label: () -> Label) {}
}

public struct Binding<Value> {}

@propertyWrapper public struct State<Value> {
  public let value: Value

  public init(wrappedValue: Value) { value = wrappedValue }

  public var wrappedValue: Value {
    get { value }
    nonmutating set {}
  }
  public var projectedValue: Binding<Value> { Binding() }
}

public struct Color {
  public static let red = Color()
  public static let yellow = Color()
  public static let accentColor = Color()

  public func opacity(_ opacity: Double) -> Color { self }
}

extension AttributedSubstring {
  public var backgroundColor: Color? {
    get { nil }
    set {}
  }
}

public enum AccessibilityChildBehavior { case combine }

public enum TextSelection { case enabled }

extension View {
  public func accessibilityElement(children: AccessibilityChildBehavior) -> some View { self }
  public func foregroundColor(_ color: Color?) -> some View { self }
  public func frame(maxHeight: CGFloat) -> some View { self }
  public func padding() -> some View { self }
  public func textSelection(_ selection: TextSelection) -> some View { self }
}
