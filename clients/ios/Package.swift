// swift-tools-version:5.5
import PackageDescription

let package = Package(
  name: "Textapp",
  platforms: [.iOS(.v15), .macOS(.v12)],
  products: [.library(name: "Textapp", targets: ["Textapp"])],
  targets: [
    .target(name: "CTextapp", cSettings: [.define("TEXTAPP_CALLER_CHECKS_PROCESSOR")]),
    .target(name: "Textapp", dependencies: ["CTextapp"], resources: [.copy("bundle")]),
    .testTarget(name: "TextappTests", dependencies: ["Textapp"]),
  ],
  cLanguageStandard: .c99
)
