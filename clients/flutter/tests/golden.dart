// Holds lib/textapp.dart against the golden files of clients/conformance, and against changed bundles: its arguments are
// the two folders. It ends with the exit code 1 if an answer differs.
import 'dart:io';
import 'dart:typed_data';

import '../lib/textapp.dart';

const units = [Offsets.codePoints, Offsets.utf16, Offsets.bytes]; // in the order of a place
const shown = 3;

late final String folder;
int different = 0;

void main(List<String> arguments) {
  folder = arguments[0];
  final strings = [for (final line in lines('strings.txt')) string(line, ' ')];
  for (final fields in index('tokens')) {
    final model = Model.load('$folder/${fields[3]}');
    final answers = lines(fields[1]);
    for (var number = 0; number < answers.length; number++) {
      for (var unit = 0; unit < units.length; unit++) {
        final found = model.predict(strings[number], offsets: units[unit]);
        equal('${fields[1]}:${number + 1}', tokens(found), rows(answers[number], unit));
      }
    }
  }
  for (final fields in index('predictions')) {
    final model = Model.load('$folder/${fields[3]}');
    equal('${fields[1]}: task', model.task.name, fields[4]);
    final tolerance = double.parse(fields[6]);
    final answers = lines(fields[1]);
    for (var number = 0; number < answers.length; number++) {
      checkPrediction('${fields[1]}:${number + 1}', model, answers[number].split('\t'), tolerance);
    }
  }
  checkLimits();
  checkMutants(Directory(arguments[1]));
  print('$different different');
  exit(different == 0 ? 0 : 1);
}

void checkPrediction(String line, Model model, List<String> columns, double tolerance) {
  final found = model.predict(string(columns[0], ' '), confidence: true);
  final probs = items(columns[4], ' ');
  equal('$line: truncated', found.truncated, columns[2] == '1');
  equal('$line: tokens', tokens(found), rows(columns[6], 1));
  equal('$line: number of probs', found.probs.length, probs.length);
  final values = found.probs.values.toList();
  for (var number = 0; number < probs.length; number++) {
    close('$line: probability', values[number], probs[number], tolerance);
  }
  final isSure = columns[1] == '1';
  final wanted = [for (final item in items(columns[6], ' ')) item.split(':')];
  for (var number = 0; number < wanted.length; number++) {
    final token = found.tokens[number];
    close('$line: weight', token.weight, wanted[number][7], tolerance);
    if (isSure) {
      equal('$line: tag', token.tag ?? '', string(wanted[number][8], '.'));
      close('$line: confidence of a tag', token.confidence, wanted[number][9], tolerance);
    }
  }
  if (!isSure) return;
  final labels = [if (found.label != null) found.label, ...found.labels];
  equal('$line: labels', labels, [for (final name in items(columns[3], ' ')) string(name, '.')]);
  equal('$line: spans', [for (final span in found.spans) '${span.type}:${span.start}:${span.end}'], rows(columns[7], 1));
}

/// Long and empty texts, lone surrogates, and broken bundles.
void checkLimits() {
  final model = Model.load('$folder/bundles/tagger');
  final text = 'Anbeda sang in 北京 👍🏽! ' * (1 << 15);
  equal('a long text', model.predict(text).tokens.last.end, text.length - 1);
  equal('an empty text', model.predict('').tokens.length, 0);
  equal('a lone surrogate', model.predict('a\uD800b Ms').tokens.last.end, 6);
  for (final name in ['bundle.json', 'model.tflite', 'tags.txt']) {
    final files = {
      for (final name in Model.fileNames)
        if (File('$folder/bundles/tagger/$name').existsSync()) name: File('$folder/bundles/tagger/$name').readAsBytesSync(),
    };
    for (final broken in [null, Uint8List.sublistView(files[name]!, 0, files[name]!.length ~/ 2)]) {
      final changed = {...files}..remove(name);
      if (broken != null) changed[name] = broken;
      try {
        Model(changed);
        equal('$name: was loaded', true, false);
      } on TextappError catch (error) {
        equal('$name: $error', '$error'.startsWith(name) && !'$error'.contains('\n'), true);
      }
    }
  }
}

/// A changed bundle is refused in one line, or predicts.
void checkMutants(Directory mutants) {
  final text = 'Ms Anbeda sang in 北京 👍🏽! good film' * 20;
  var refused = 0, loaded = 0;
  for (final bundle in mutants.listSync()) {
    try {
      final found = Model.load(bundle.path).predict(text);
      loaded++;
      equal('${bundle.path}: places', found.tokens.every((one) => one.start < one.end && one.end <= text.length), true);
    } on TextappError catch (error) {
      refused++;
      equal('${bundle.path}: one line', '$error'.isNotEmpty && !'$error'.contains('\n'), true);
    }
  }
  equal('changed bundles: $refused refused, $loaded loaded', refused > 10 && loaded > 10, true);
}

List<String> tokens(Prediction found) => [for (final token in found.tokens) '${token.text}:${token.start}:${token.end}'];

/// Tokens or spans of a line, each as `NAME:START:END` in one unit.
List<String> rows(String list, int unit) => [
      for (final fields in items(list, ' ').map((item) => item.split(':')))
        '${string(fields[0], '.')}:${fields[1 + unit]}:${fields[4 + unit]}',
    ];

void equal(String what, Object? found, Object? wanted) {
  if ('$found' == '$wanted') return;
  if (++different <= shown) stderr.writeln('$what: $found is not $wanted');
}

void close(String what, double? found, String wanted, double tolerance) {
  final number = double.tryParse(wanted);
  final isClose = found == null || number == null
      ? found == number
      : (found - number).abs() <= tolerance * (number.abs() > 1 ? number.abs() : 1);
  equal('$what $found, wanted $wanted', isClose, true);
}

List<String> lines(String file) => File('$folder/$file').readAsStringSync().split('\n')..removeLast();

List<List<String>> index(String kind) => [
      for (final line in lines('index.txt'))
        if (line.startsWith('$kind\t')) line.split('\t'),
    ];

List<String> items(String list, String separator) => list.isEmpty ? [] : list.split(separator);

String string(String points, String separator) =>
    String.fromCharCodes([for (final point in items(points, separator)) int.parse(point, radix: 16)]);
