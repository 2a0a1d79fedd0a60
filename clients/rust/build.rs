//! Compiles the core, `core/textapp.c`, with the C compiler of the target: that of `CC_<target>`, `TARGET_CC` or `CC`, as
//! in other crates, or `cc`. It must know the options of gcc, as gcc and clang do.

use std::env;
use std::path::Path;
use std::process::{exit, Command};

fn main() {
    let (target, host) = (variable("TARGET"), variable("HOST"));
    let out = variable("OUT_DIR");
    let (object, archive) = (format!("{}/textapp.o", out), format!("{}/libtextapp.a", out));
    if !Path::new("core/textapp.c").exists() {
        fail("core/textapp.c: missing; `textapp export --client rust` writes it");
    }
    let compiler = tool("CC", &target).unwrap_or_else(|| {
        if target != host {
            let name = format!("CC_{}", target.replace('-', "_"));
            fail(&format!("{}: must name the C compiler for {}, such as gcc or clang for it", name, target));
        }
        "cc".to_string()
    });
    let mut compile = words(&compiler);
    let options = "-std=c99 -O2 -fPIC -fvisibility=hidden -ffp-contract=off -DTEXTAPP_CALLER_CHECKS_PROCESSOR";
    compile.args(options.split(' ')).args(["-Icore", "-c", "core/textapp.c", "-o", &object]);
    run(compile);
    let mut pack = words(&tool("AR", &target).unwrap_or_else(|| "ar".to_string()));
    pack.arg("crs").arg(&archive).arg(&object);
    let _ = std::fs::remove_file(&archive); // `ar` adds to one that is there
    run(pack);
    println!("cargo:rustc-link-search=native={}", out);
    println!("cargo:rustc-link-lib=static=textapp");
    println!("cargo:rerun-if-changed=core");
}

/// The command of a tool that the environment names, for the target first.
fn tool(name: &str, target: &str) -> Option<String> {
    let names = [format!("{}_{}", name, target), format!("{}_{}", name, target.replace('-', "_"))];
    let names = [&names[0], &names[1], &format!("TARGET_{}", name), &name.to_string()].map(String::to_string);
    for name in &names {
        println!("cargo:rerun-if-env-changed={}", name);
    }
    names.iter().find_map(|name| env::var(name).ok()).filter(|command| !command.trim().is_empty())
}

/// A command with its options.
fn words(command: &str) -> Command {
    let mut words = command.split_whitespace();
    let mut out = Command::new(words.next().unwrap_or_default());
    out.args(words);
    out
}

fn run(mut command: Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("{:?}: {}", command, status)),
        Err(error) => fail(&format!("{:?}: {}; the variables CC and AR name other tools", command, error)),
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("{}: cargo must set it", name)))
}

fn fail(message: &str) -> ! {
    eprintln!("{}", message);
    exit(1)
}
