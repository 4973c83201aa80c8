//! Formats answers for people and as one JSON object.

mod answer;
mod config;
mod error;
mod event;
mod hold;
mod ledger;
mod report;
mod style;
mod table;

pub(crate) use answer::Answer;
pub(crate) use config::{config, drafted};
pub(crate) use error::{error_json, error_text};
pub(crate) use event::{at, current, history, previous, receipt, recovered};
pub(crate) use hold::{held, holds};
pub(crate) use ledger::{exported, initialised, surveyed, transferred};
pub(crate) use report::{audit, channels, dry_run, retention, verified};
pub(crate) use style::{Style, shown};
pub(crate) use table::{Fields, Table};
