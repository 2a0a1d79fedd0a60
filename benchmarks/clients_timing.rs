//! Times client rust: `timing BUNDLE < TEXTS` prints microseconds of loading, and of each text.

use std::error::Error;
use std::hint::black_box;
use std::io::{stdin, BufRead};
use std::time::Instant;

use textapp::{Model, Options};

const PASSES: usize = 6; // over all texts; the first warms up

fn main() -> Result<(), Box<dyn Error>> {
    let bundle = std::env::args().nth(1).ok_or("BUNDLE is missing")?;
    let start = Instant::now();
    let model = Model::load(bundle)?;
    let mut context = model.context();
    println!("load {:.1}", start.elapsed().as_nanos() as f64 / 1e3);
    let texts = stdin().lock().lines().collect::<Result<Vec<_>, _>>()?;
    for pass in 0..PASSES {
        for text in &texts {
            let start = Instant::now();
            black_box(context.predict(text, Options::default())?);
            let time = start.elapsed();
            if pass > 0 {
                println!("text {:.2}", time.as_nanos() as f64 / 1e3);
            }
        }
    }
    Ok(())
}
