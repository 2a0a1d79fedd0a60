//! Holds the crate against the golden files that `clients/conformance/make.py` made of Python's answers. The variable
//! TEXTAPP_CONFORMANCE names their folder; `clients/conformance/README.md` says what is in them.

use std::{env, fmt, fs, path::PathBuf, sync::Mutex, thread};

use textapp::{Context, Model, Offsets, Options, Prediction, Task};

const UNITS: [Offsets; 3] = [Offsets::CodePoints, Offsets::Utf16, Offsets::Bytes]; // in the order of a place
const THREADS: usize = 4;

fn folder() -> PathBuf {
    env::var_os("TEXTAPP_CONFORMANCE").expect("TEXTAPP_CONFORMANCE: must name the folder that make.py wrote").into()
}

fn lines(file: &str) -> Vec<String> {
    let content = fs::read_to_string(folder().join(file)).unwrap();
    content.strip_suffix('\n').unwrap_or_default().split('\n').map(str::to_string).collect()
}

fn index(kind: &str) -> Vec<Vec<String>> {
    let rows = lines("index.txt").into_iter().map(|line| line.split('\t').map(str::to_string).collect::<Vec<_>>());
    rows.filter(|fields| fields[0] == kind).collect()
}

/// A string of code points; a lone surrogate is U+FFFD, as no text of Rust has one.
fn string(points: &str, separator: char) -> String {
    let point = |one: &str| char::from_u32(u32::from_str_radix(one, 16).unwrap()).unwrap_or('\u{FFFD}');
    points.split(separator).filter(|one| !one.is_empty()).map(point).collect()
}

fn items(list: &str, separator: char) -> impl Iterator<Item = &str> {
    list.split(separator).filter(|one| !one.is_empty())
}

/// Start and end in one unit, of the fields of a token or span that follow its name.
fn place(fields: &[&str], unit: usize) -> (usize, usize) {
    (fields[1 + unit].parse().unwrap(), fields[4 + unit].parse().unwrap())
}

struct Checked<'a> {
    place: String,
    tolerance: f64,
    different: &'a Mutex<Vec<String>>,
}

impl Checked<'_> {
    fn equal<T: PartialEq + fmt::Debug>(&self, what: &str, found: T, wanted: T) {
        if found != wanted {
            self.different.lock().unwrap().push(format!("{}: {}: {:?} is not {:?}", self.place, what, found, wanted));
        }
    }

    fn close(&self, what: &str, found: Option<f64>, wanted: &str) {
        let wanted: Option<f64> = wanted.parse().ok();
        let is_close = match (found, wanted) {
            (Some(found), Some(wanted)) => (found - wanted).abs() <= self.tolerance * wanted.abs().max(1.0),
            (found, wanted) => found == wanted,
        };
        self.equal(&format!("{} {:?}, wanted {:?}: close", what, found, wanted), is_close, true);
    }
}

/// Checks each line of a file, by threads that share the model. `check` gets the number of a line.
fn check_all(file: &str, bundle: &str, tolerance: f64, check: impl Fn(&mut Context, usize, &Checked) + Sync) {
    let model = Model::load(folder().join(bundle)).unwrap();
    let count = lines(file).len();
    let different = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for first in 0..THREADS {
            let (model, check, different) = (&model, &check, &different);
            scope.spawn(move || {
                let mut context = model.context();
                for number in (first..count).step_by(THREADS) {
                    let place = format!("{}:{}", file, number + 1);
                    check(&mut context, number, &Checked { place, tolerance, different });
                }
            });
        }
    });
    let different = different.into_inner().unwrap();
    println!("{}: {} lines, {} differences", file, count, different.len());
    assert!(different.is_empty(), "{}", different[..different.len().min(5)].join("\n"));
}

fn tokens(found: &Prediction) -> Vec<(&str, (usize, usize))> {
    found.tokens.iter().map(|token| (token.text.as_str(), (token.start, token.end))).collect()
}

#[test]
fn tokens_and_offsets_are_those_of_python() {
    let strings: Vec<String> = lines("strings.txt").iter().map(|line| string(line, ' ')).collect();
    for fields in index("tokens") {
        let answers = lines(&fields[1]);
        assert_eq!(answers.len(), strings.len());
        check_all(&fields[1], &fields[3], 0.0, |context, number, checked| {
            let rows: Vec<Vec<&str>> = items(&answers[number], ' ').map(|one| one.split(':').collect()).collect();
            let names: Vec<String> = rows.iter().map(|row| string(row[0], '.')).collect();
            for (unit, offsets) in UNITS.into_iter().enumerate() {
                let found = context.predict(&strings[number], Options { offsets, confidence: false }).unwrap();
                let places = rows.iter().map(|row| place(row, unit));
                let wanted: Vec<_> = names.iter().map(String::as_str).zip(places).collect();
                checked.equal("tokens", tokens(&found), wanted);
            }
        });
    }
}

#[test]
fn predictions_are_those_of_python() {
    for fields in index("predictions") {
        let answers = lines(&fields[1]);
        let task = match fields[4].as_str() {
            "classification" => Task::Classification,
            "multilabel" => Task::Multilabel,
            name => {
                assert_eq!(name, "tagging");
                Task::Tagging
            }
        };
        assert_eq!(Model::load(folder().join(&fields[3])).unwrap().task(), task);
        check_all(&fields[1], &fields[3], fields[6].parse().unwrap(), |context, number, checked| {
            let columns: Vec<&str> = answers[number].split('\t').collect();
            let text = string(columns[0], ' ');
            for (unit, offsets) in UNITS.into_iter().enumerate() {
                let found = context.predict(&text, Options { offsets, confidence: true }).unwrap();
                check_prediction(&found, &columns, unit, checked);
            }
        });
    }
}

fn check_prediction(found: &Prediction, columns: &[&str], unit: usize, checked: &Checked) {
    let is_sure = columns[1] == "1";
    checked.equal("truncated", found.truncated, columns[2] == "1");
    if is_sure {
        let labels: Vec<String> = found.label.iter().chain(&found.labels).map(|label| label.to_string()).collect();
        checked.equal("labels", labels, items(columns[3], ' ').map(|name| string(name, '.')).collect());
    }
    checked.equal("number of probs", found.probs.len(), items(columns[4], ' ').count());
    for ((label, probability), wanted) in found.probs.iter().zip(items(columns[4], ' ')) {
        checked.close(label, Some(*probability), wanted);
    }
    let rows: Vec<Vec<&str>> = items(columns[6], ' ').map(|one| one.split(':').collect()).collect();
    let names: Vec<String> = rows.iter().map(|row| string(row[0], '.')).collect();
    let places = rows.iter().map(|row| place(row, unit));
    checked.equal("tokens", tokens(found), names.iter().map(String::as_str).zip(places).collect());
    for (token, row) in found.tokens.iter().zip(&rows) {
        checked.close("weight", token.weight.map(f64::from), row[7]);
        checked.equal("has a tag", token.tag.is_some(), !row[8].is_empty());
        if is_sure {
            checked.equal("tag", token.tag.as_deref().unwrap_or_default(), string(row[8], '.').as_str());
            checked.close("confidence of a tag", token.confidence, row[9]);
        }
    }
    if is_sure {
        let rows: Vec<Vec<&str>> = items(columns[7], ' ').map(|one| one.split(':').collect()).collect();
        let spans: Vec<_> = found.spans.iter().map(|span| (span.kind.clone(), (span.start, span.end))).collect();
        let wanted: Vec<_> = rows.iter().map(|row| (string(row[0], '.'), place(row, unit))).collect();
        checked.equal("spans", spans, wanted);
        for (span, row) in found.spans.iter().zip(&rows) {
            checked.close("confidence of a span", span.confidence, row[7]);
        }
    }
}
