// Copy it to lib/main.dart of an app that depends on textapp.
import 'package:flutter/material.dart';
import 'package:textapp/assets.dart';
import 'package:textapp/textapp.dart';

Future<void> main() async {
  WidgetsFlutterBinding.ensureInitialized();
  runApp(MaterialApp(home: Answer(await loadAssets())));
}

/// A text, and what the model says of it.
class Answer extends StatefulWidget {
  const Answer(this.model, {super.key});
  final Model model;

  @override
  State<Answer> createState() => _AnswerState();
}

class _AnswerState extends State<Answer> {
  String text = '';

  @override
  Widget build(BuildContext context) {
    final found = widget.model.predict(text, confidence: true);
    return Scaffold(
      body: SafeArea(
        child: ListView(
          padding: const EdgeInsets.all(16),
          children: [
            TextField(maxLines: 4, onChanged: (value) => setState(() => text = value)),
            for (final MapEntry(key: label, value: probability) in found.probs.entries)
              ListTile(title: Text(label), subtitle: LinearProgressIndicator(value: probability)),
            for (final span in found.spans)
              ListTile(title: Text(text.substring(span.start, span.end)), subtitle: Text(span.type)),
            for (final token in found.tokens.where((token) => token.confidence != null)) // plain tags
              ListTile(title: Text(text.substring(token.start, token.end)), subtitle: Text(token.tag ?? '')),
          ],
        ),
      ),
    );
  }
}
