import Textapp
import XCTest

/// Run them on the devices that the app is for: they compare the bundle's answers with those that the export recorded.
final class SelftestTests: XCTestCase {
  func testTheBundleComputesWhatItsExportRecorded() throws {
    try Model.bundled().selftest()
  }
}
