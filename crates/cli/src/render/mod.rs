//! Formats answers for people and as one JSON object.

mod answer;
mod block;
mod config;
mod diff;
mod error;
mod event;
mod hold;
mod ledger;
mod report;
mod style;
mod table;

pub(crate) use answer::Answer;
pub(crate) use block::{blocked, unblocked};
pub(crate) use config::{config, drafted};
pub(crate) use diff::{Changes, diff};
pub(crate) use error::{error_json, error_text};
pub(crate) use event::{at, current, declined, history, previous, receipt, recovered};
pub(crate) use hold::{held, held_all, holds, holds_all};
pub(crate) use ledger::{exported, initialised, surveyed, transferred};
pub(crate) use report::{asked, audit, channels, dry_run, retention, verified};
pub(crate) use style::{Style, shown};
pub(crate) use table::{Fields, Table};
