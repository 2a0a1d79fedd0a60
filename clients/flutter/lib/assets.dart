/// The bundle among the assets of a Flutter app.
library;

import 'dart:typed_data';

import 'package:flutter/services.dart';

import 'textapp.dart';

/// The model of the bundle in a folder of the app's assets, by default that of this plugin. Throws a [TextappError].
Future<Model> loadAssets([String folder = 'packages/textapp/assets/bundle']) async {
  final manifest = await AssetManifest.loadFromAssetBundle(rootBundle);
  final present = manifest.listAssets().toSet();
  final files = <String, Uint8List>{};
  for (final name in Model.fileNames) {
    if (!present.contains('$folder/$name')) continue;
    final content = await rootBundle.load('$folder/$name');
    files[name] = content.buffer.asUint8List(content.offsetInBytes, content.lengthInBytes);
  }
  return Model(files);
}
