//! The real program as a judge: its own types and stores read and write what it is given.
//!
//! `judge serve ROOT` answers each JSON line on stdin with one JSON line on stdout:
//! `{"do": "parse", "kind": K, "text": T | "path": P}` reads a document with the type of the kind and writes it back;
//! `{"do": "load", "kind": K, ...}` reads through the program's store, `{"do": "save", "kind": K, "text": T, ...}`
//! writes through it. An answer is `{"ok": bool, "error": text, "written": ...}`.
//!
//! `judge bench NAME ...` measures a loop of the program and prints `{"seconds": S, "count": N}`.

mod bench;
mod kinds;
mod load;
mod save;

use anyhow::{anyhow, bail, Result};
use serde::Deserialize;
use serde_json::{json, Value};
use std::collections::HashMap;
use std::io::{BufRead, Write};

/// What a line asks for; the members beside the first two depend on the kind.
#[derive(Deserialize)]
pub struct Request {
    #[serde(rename = "do")]
    action: String,
    pub kind: String,
    #[serde(flatten)]
    members: HashMap<String, Value>,
}

impl Request {
    /// A member that must be there.
    pub fn text(&self, name: &str) -> Result<&str> {
        self.optional(name).ok_or_else(|| anyhow!("{} needs {name}", self.kind))
    }

    /// A member that may be there.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    /// The document: given as text, or the content of a file.
    pub fn document(&self) -> Result<Vec<u8>> {
        match self.optional("path") {
            Some(path) => Ok(std::fs::read(path)?),
            None => Ok(self.text("text")?.as_bytes().to_vec()),
        }
    }
}

async fn answer(line: &str, writers: &mut save::Loggers) -> Result<Value> {
    let request: Request = serde_json::from_str(line)?;
    match request.action.as_str() {
        "parse" => kinds::parse(&request),
        "load" => load::load(&request).await,
        "save" => save::save(&request, writers).await,
        other => bail!("no such action: {other}"),
    }
}

async fn serve(root: &str) -> Result<()> {
    std::env::set_var("PRODIGY_HOME", root);
    let mut writers = save::Loggers::new();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let reply = match answer(&line?, &mut writers).await {
            Ok(written) => json!({"ok": true, "error": null, "written": written}),
            Err(error) => json!({"ok": false, "error": format!("{error:#}"), "written": null}),
        };
        writeln!(out, "{reply}")?;
        out.flush()?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match words.as_slice() {
            ["serve", root] => serve(root).await,
            ["bench", name, rest @ ..] => {
                println!("{}", bench::run(name, rest).await?);
                Ok(())
            }
            _ => bail!("usage: judge serve ROOT | judge bench NAME ..."),
        }
    })
}
