//! Long, empty and broken input, and threads; with the bundles in the folder that TEXTAPP_CONFORMANCE names, and with
//! the exported one.

use std::{env, error, fs, path::PathBuf, thread};

use textapp::{Context, Error, Model, Offsets, Options, Prediction, Status, Task};

fn bundle(name: &str) -> PathBuf {
    let folder = env::var_os("TEXTAPP_CONFORMANCE").expect("TEXTAPP_CONFORMANCE: must name the folder of make.py");
    PathBuf::from(folder).join("bundles").join(name)
}

fn files(name: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(bundle(name)).unwrap().map(Result::unwrap);
    entries.map(|one| (one.file_name().into_string().unwrap(), fs::read(one.path()).unwrap())).collect()
}

fn error_of(files: Vec<(String, Vec<u8>)>) -> Error {
    let error = Model::from_files(files).err().expect("a broken bundle was loaded");
    assert!(!error.to_string().contains('\n') && !error.to_string().is_empty());
    error
}

#[test]
fn threads_may_share_and_move_what_the_crate_gives() {
    fn check<T: Send + Sync + 'static>() {}
    fn check_moved<T: Send + 'static>() {}
    check::<Model>();
    check::<Prediction>();
    check::<Error>();
    check_moved::<Context>();
}

#[test]
fn a_model_of_many_threads_answers_as_one_of_one() {
    let model = Model::load(bundle("tagger")).unwrap();
    let texts: Vec<String> =
        (0..40).map(|number| format!("Ms Anbeda met {} in 北京 . ", number).repeat(1 + number)).collect();
    let wanted: Vec<Prediction> = texts.iter().map(|text| model.predict(text).unwrap()).collect();
    assert!(wanted.iter().any(|one| !one.spans.is_empty()));
    let started: Vec<_> = (0..4)
        .map(|_| {
            let (model, texts, wanted) = (model.clone(), texts.clone(), wanted.clone());
            thread::spawn(move || {
                let mut context = model.context();
                drop(model); // the context keeps it
                for (text, one) in texts.iter().zip(&wanted).rev() {
                    assert_eq!(&context.predict(text, Options::default()).unwrap(), one);
                }
            })
        })
        .collect();
    drop(model);
    started.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn a_text_of_a_megabyte_is_read() {
    let text = "Anbeda sang in 北京 👍🏽! ".repeat(1 << 15);
    let model = Model::load(bundle("classifier")).unwrap();
    let found = model.predict(&text).unwrap();
    assert!(found.truncated && found.label.is_some());
    let model = Model::load(bundle("tagger")).unwrap();
    let mut context = model.context();
    let found = context.predict(&text, Options::default()).unwrap();
    assert_eq!(found.tokens.last().unwrap().end, text.trim_end().len());
    assert_eq!(context.predict("Ms", Options::default()).unwrap(), model.predict("Ms").unwrap());
    for span in &found.spans {
        assert!(!text[span.start..span.end].is_empty());
    }
}

#[test]
fn a_text_without_tokens_has_a_label_and_no_spans() {
    let (classifier, tagger) = (Model::load(bundle("classifier")).unwrap(), Model::load(bundle("tagger")).unwrap());
    for text in ["", " \t\n", "\0\u{FEFF}", "\u{200B}\u{AD}"] {
        let found = classifier.predict(text).unwrap();
        assert!(found.tokens.is_empty() && classifier.labels().contains(found.label.as_ref().unwrap()), "{:?}", text);
        assert!((found.probs.iter().map(|(_, one)| one).sum::<f64>() - 1.0).abs() < 1e-12);
        let found = tagger.predict(text).unwrap();
        assert!(found.tokens.is_empty() && found.spans.is_empty() && found.probs.is_empty(), "{:?}", text);
    }
}

#[test]
fn a_broken_bundle_is_refused_in_one_line() {
    assert_eq!(error_of(vec![]).status, Status::Bundle);
    let whole = files("tagger");
    for number in 0..whole.len() {
        let name = &whole[number].0;
        let mut fewer = whole.clone();
        fewer.remove(number);
        assert!(error_of(fewer).to_string().starts_with(name), "without {}", name);
        for is_cut in [false, true] {
            let mut changed = whole.clone();
            let content = &mut changed[number].1;
            if is_cut {
                content.truncate(content.len() / 2);
            } else {
                content[1] ^= 1;
            }
            let error = error_of(changed);
            assert!(error.status == Status::Bundle && error.to_string().starts_with(name), "{}", error);
        }
    }
    let mut named = whole;
    named.push(("a\0b".to_string(), vec![]));
    assert_eq!(error_of(named).status, Status::Argument);
}

#[test]
fn a_changed_bundle_is_refused_in_one_line_or_predicts() {
    let folder = env::var_os("TEXTAPP_MUTANTS").expect("TEXTAPP_MUTANTS: must name the folder of clients/check.py");
    let (mut refused, mut loaded) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let text = "Ms Anbeda sang in 北京 👍🏽! good film".repeat(20);
        match Model::load(entry.unwrap().path()).and_then(|model| model.predict(&text)) {
            Ok(found) => {
                loaded += 1;
                assert!(found.tokens.iter().all(|one| one.start < one.end && one.end <= text.len()));
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty() && !error.to_string().contains('\n'), "{}", error);
            }
        }
    }
    assert!(refused > 10 && loaded > 10, "{} refused, {} loaded", refused, loaded);
}

#[test]
fn an_error_of_a_folder_names_the_file() {
    let error: Box<dyn error::Error> = Model::load(bundle("no such")).err().unwrap().into();
    assert!(
        error.to_string().starts_with(&format!("{}: ", bundle("no such").join("bundle.json").display())),
        "{}",
        error
    );
}

#[test]
fn a_model_tests_itself_where_the_bundle_says_how() {
    Model::load("bundle").unwrap().selftest().unwrap(); // the one that the export has put into this crate
    let error = Model::load(bundle("classifier")).unwrap().selftest().unwrap_err();
    assert!(error.to_string().contains("needs a bundle with selftest.json"), "{}", error);
}

#[test]
fn offsets_and_confidence_are_what_is_asked_for() {
    let model = Model::load(bundle("tagger")).unwrap();
    assert_eq!(model.task(), Task::Tagging);
    let mut context = model.context();
    for (offsets, ends) in [(Offsets::Bytes, [4, 7]), (Offsets::Utf16, [2, 5]), (Offsets::CodePoints, [1, 4])] {
        for confidence in [false, true] {
            let found = context.predict("👎 Ms", Options { offsets, confidence }).unwrap();
            assert_eq!(found.tokens.iter().map(|token| token.end).collect::<Vec<_>>(), ends);
            assert!(found.spans.iter().all(|span| span.confidence.is_some() == confidence));
        }
    }
}
