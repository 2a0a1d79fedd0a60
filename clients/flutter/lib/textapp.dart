/// Text to labels, tags and spans with a bundle that `textapp export` wrote.
///
/// In an app, `loadAssets` of `assets.dart` gives the model of the plugin's own bundle:
///
///     final model = await loadAssets();
///     final found = model.predict('a good film');
library;

import 'dart:convert';
import 'dart:ffi';
import 'dart:io';
import 'dart:typed_data';

/// What kind of answer a model gives: one label a text, any number of labels, or a tag for each token with the spans
/// that the tags mean.
enum Task { classification, multilabel, tagging }

/// The unit of `start` and `end`.
enum Offsets {
  /// Units of UTF-16, by which Dart counts: `text.substring(span.start, span.end)`.
  utf16(1 << 1),

  /// Code points, as Python counts.
  codePoints(1 << 0),

  /// Bytes of UTF-8.
  bytes(0);

  const Offsets(this._flag);
  final int _flag;
}

/// What went wrong; the names of `textapp_status` in textapp.h.
enum Status { ok, memory, bundle, unsupported, argument, tooLong, selftest }

/// A failed call. Its message is one line that names the file, the place and the rule.
final class TextappError implements Exception {
  const TextappError(this.status, this.message);
  final Status status;
  final String message;

  @override
  String toString() => message;
}

/// What a model says of a text.
final class Prediction {
  const Prediction(this.label, this.labels, this.probs, this.tokens, this.spans, this.truncated);

  /// The most probable label; null unless the task is [Task.classification].
  final String? label;

  /// The labels of the text; empty unless the task is [Task.multilabel].
  final List<String> labels;

  /// Label and its probability from 0 to 1, in the order of [Model.labels]; empty for a tagger.
  final Map<String, double> probs;

  /// The tokens that the model read.
  final List<Token> tokens;

  /// Entities or slots; empty unless the task is [Task.tagging].
  final List<Span> spans;

  /// Whether the text had more tokens than the model reads, and was cut there; taggers read all.
  final bool truncated;
}

/// A token of a text.
final class Token {
  const Token(this.text, this.start, this.end, this.weight, this.tag, this.confidence);

  /// The token as the bundle's tokenizer gives it: normalized.
  final String text;

  /// The place of its first unit in the original text, and the place after its last.
  final int start, end;

  /// Attention from 0 to 1; null for a tagger, and for a model without attention.
  final double? weight;

  /// Its tag; null unless the task is [Task.tagging].
  final String? tag;

  /// The probability of a plain tag; null unless it was asked for.
  final double? confidence;
}

/// An entity or a slot.
final class Span {
  const Span(this.type, this.start, this.end, this.confidence);

  /// Its type, such as PER; empty where tags have no types.
  final String type;

  /// The place of its first unit in the original text, and the place after its last.
  final int start, end;

  /// The probability that exactly this span is right; null unless it was asked for.
  final double? confidence;
}

/// A bundle that is ready to predict. It belongs to the isolate that made it, which frees it when nothing refers to it.
final class Model implements Finalizable {
  Model._(this._session) {
    _finalizer.attach(this, _session);
  }

  /// Takes the files of a bundle, with their names. Throws a [TextappError].
  factory Model(Map<String, Uint8List> files) {
    final session = _newSession();
    if (session == nullptr) throw const TextappError(Status.memory, 'model: there is no memory for it');
    final model = Model._(session);
    for (var number = 0; number < fileNames.length; number++) {
      final content = files[fileNames[number]];
      if (content == null) continue;
      final memory = _file(session, number, content.length);
      if (memory == nullptr) throw TextappError(Status.memory, '${fileNames[number]}: there is no memory for it');
      memory.asTypedList(content.length).setAll(0, content);
    }
    if (_load(session) != 0) throw model._error();
    return model;
  }

  /// Reads the files of a bundle's folder. Throws a [TextappError] or a [FileSystemException].
  factory Model.load(String folder) {
    final files = <String, Uint8List>{};
    for (final name in fileNames) {
      final file = File('$folder/$name');
      if (name == 'bundle.json' || file.existsSync()) files[name] = file.readAsBytesSync();
    }
    return Model(files);
  }

  /// The names of the files that a bundle may have.
  static final List<String> fileNames = [
    for (var number = 0; _fileName(number) != nullptr; number++) _zeroEnded(_fileName(number)),
  ];

  final Pointer<Void> _session;

  /// What kind of answer the model gives.
  late final Task task = Task.values[_task(_model(_session))];

  /// The labels, or the tags that tokens get.
  late final List<String> labels = [
    for (var number = 0; number < _labelCount(_model(_session)); number++)
      _zeroEnded(_label(_model(_session), number)),
  ];

  /// Predicts one text. With [confidence], tokens and spans of a tagger get theirs; decoding takes about five times as
  /// long then. Throws a [TextappError].
  Prediction predict(String text, {bool confidence = false, Offsets offsets = Offsets.utf16}) {
    final bytes = utf8.encode(text);
    final memory = _text(_session, bytes.length);
    if (memory == nullptr) throw _error();
    memory.asTypedList(bytes.length).setAll(0, bytes);
    final found = _predict(_session, bytes.length, offsets._flag | (confidence ? _confidence : 0));
    if (found == nullptr) throw _error();
    return _copied(found.ref);
  }

  /// Predicts the texts of selftest.json, which `textapp export` writes, and compares. Run it once on a new device.
  /// Throws a [TextappError].
  void selftest() {
    if (_selftest(_session) != 0) throw _error();
  }

  TextappError _error() => TextappError(Status.values[_status(_session)], _zeroEnded(_message(_session)));

  /// A prediction with data of its own; [found] stays only until the next call.
  Prediction _copied(_Prediction found) {
    final hasLabels = found.probs != nullptr;
    final chosen = found.chosen;
    return Prediction(
      hasLabels && chosen == nullptr ? labels[found.label] : null,
      [
        if (chosen != nullptr)
          for (var number = 0; number < found.labelCount; number++)
            if (chosen[number] != 0) labels[number],
      ],
      {
        if (hasLabels)
          for (var number = 0; number < found.labelCount; number++) labels[number]: found.probs[number],
      },
      [
        for (var number = 0; number < found.tokenCount; number++) _token(found.tokens[number], hasLabels),
      ],
      [
        for (var number = 0; number < found.spanCount; number++) _span(found.spans[number]),
      ],
      found.truncated != 0,
    );
  }

  Token _token(_Token one, bool hasLabels) => Token(
        _string(one.text, one.length),
        one.start,
        one.end,
        hasLabels && one.weight >= 0 ? one.weight : null,
        one.tag < 0 ? null : labels[one.tag],
        one.confidence < 0 ? null : one.confidence,
      );

  Span _span(_Span one) =>
      Span(_string(one.type, one.typeLength), one.start, one.end, one.confidence < 0 ? null : one.confidence);
}

/// UTF-8 of the core. Dart's decoder drops U+FEFF from the start, which may be a token.
String _string(Pointer<Uint8> start, int length) {
  if (length == 0) return '';
  final bytes = start.asTypedList(length);
  final hasMark = length >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF;
  return hasMark ? '\uFEFF${utf8.decode(bytes.sublist(3))}' : utf8.decode(bytes);
}

/// A string of the core that ends with 0.
String _zeroEnded(Pointer<Uint8> start) {
  var length = 0;
  while (start[length] != 0) {
    length++;
  }
  return _string(start, length);
}

// The structures of src/textapp.h, and the functions of it and of src/session.h.

const _confidence = 1 << 2; // TEXTAPP_CONFIDENCE

final class _Token extends Struct {
  external Pointer<Uint8> text;
  @Size()
  external int length;
  @Size()
  external int start;
  @Size()
  external int end;
  @Float()
  external double weight;
  @Int32()
  external int tag;
  @Double()
  external double confidence;
}

final class _Span extends Struct {
  external Pointer<Uint8> type;
  @Size()
  external int typeLength;
  @Size()
  external int start;
  @Size()
  external int end;
  @Double()
  external double confidence;
}

final class _Prediction extends Struct {
  @Int32()
  external int label;
  @Size()
  external int labelCount;
  external Pointer<Double> probs;
  external Pointer<Uint8> chosen;
  external Pointer<Float> logits;
  @Size()
  external int tokenCount;
  external Pointer<_Token> tokens;
  @Size()
  external int spanCount;
  external Pointer<_Span> spans;
  @Int()
  external int truncated;
}

typedef _Session = Pointer<Void>;

final DynamicLibrary _library = Platform.isIOS || Platform.isMacOS
    ? DynamicLibrary.open('textapp.framework/textapp')
    : DynamicLibrary.open('libtextapp.so');

final _finalizer = NativeFinalizer(_library.lookup('textapp_session_free'));

final _newSession = _library.lookupFunction<_Session Function(), _Session Function()>('textapp_session_new');
final _fileName =
    _library.lookupFunction<Pointer<Uint8> Function(Size), Pointer<Uint8> Function(int)>('textapp_session_name');
final _file = _library.lookupFunction<Pointer<Uint8> Function(_Session, Size, Size),
    Pointer<Uint8> Function(_Session, int, int)>('textapp_session_file');
final _load = _library.lookupFunction<Int Function(_Session), int Function(_Session)>('textapp_session_load');
final _model =
    _library.lookupFunction<Pointer<Void> Function(_Session), Pointer<Void> Function(_Session)>('textapp_session_model');
final _text = _library.lookupFunction<Pointer<Uint8> Function(_Session, Size), Pointer<Uint8> Function(_Session, int)>(
    'textapp_session_text');
final _predict = _library.lookupFunction<Pointer<_Prediction> Function(_Session, Size, Uint32),
    Pointer<_Prediction> Function(_Session, int, int)>('textapp_session_predict');
final _selftest = _library.lookupFunction<Int Function(_Session), int Function(_Session)>('textapp_session_selftest');
final _status = _library.lookupFunction<Int Function(_Session), int Function(_Session)>('textapp_session_status');
final _message = _library
    .lookupFunction<Pointer<Uint8> Function(_Session), Pointer<Uint8> Function(_Session)>('textapp_session_message');
final _task =
    _library.lookupFunction<Int Function(Pointer<Void>), int Function(Pointer<Void>)>('textapp_model_task');
final _labelCount =
    _library.lookupFunction<Size Function(Pointer<Void>), int Function(Pointer<Void>)>('textapp_label_count');
final _label = _library.lookupFunction<Pointer<Uint8> Function(Pointer<Void>, Size),
    Pointer<Uint8> Function(Pointer<Void>, int)>('textapp_label');
