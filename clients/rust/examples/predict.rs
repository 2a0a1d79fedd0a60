//! Predicts the lines of the standard input: `cargo run --release --example predict [BUNDLE] < texts.txt`

use std::error::Error;
use std::io::{stdin, BufRead};

use textapp::{Model, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let model = Model::load(std::env::args().nth(1).unwrap_or_else(|| "bundle".to_string()))?;
    let mut context = model.context();
    for line in stdin().lock().lines() {
        let text = line?;
        let prediction = context.predict(&text, Options { confidence: true, ..Options::default() })?;
        for (label, probability) in &prediction.probs {
            println!("{:.4} {}", probability, label);
        }
        for span in &prediction.spans {
            println!("{:.4} {} {}", span.confidence.unwrap_or_default(), span.kind, &text[span.start..span.end]);
        }
        for token in prediction.tokens.iter().filter(|token| token.confidence.is_some()) {
            // a plain tag, such as a part of speech
            let tag = token.tag.as_deref().unwrap_or_default();
            println!("{:.4} {} {}", token.confidence.unwrap_or_default(), tag, &text[token.start..token.end]);
        }
        for token in prediction.tokens.iter().filter(|token| token.weight.is_some()) {
            println!("       {:.4} {}", token.weight.unwrap_or_default(), token.text);
        }
    }
    Ok(())
}
