//! Completion scripts.

use clap::CommandFactory;
use serde_json::json;
use tagwarden::Result;

use crate::args::{Cli, CompletionsArgs};
use crate::render::Answer;

pub(super) fn completions(args: &CompletionsArgs) -> Result<Answer> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tagwarden", &mut script);
    let script = String::from_utf8_lossy(&script).trim_end().to_owned();
    Answer::done(&json!({ "shell": args.shell.to_string(), "script": script }), script)
}
