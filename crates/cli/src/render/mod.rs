//! Formats answers for people and as one JSON object.

mod answer;
mod block;
mod config;
mod copy;
mod current;
mod diff;
mod entries;
mod error;
mod event;
mod history;
mod hold;
mod ledger;
mod receipt;
mod report;
mod style;
mod table;

pub(crate) use answer::Answer;
pub(crate) use block::{blocked, unblocked};
pub(crate) use config::{config, drafted};
pub(crate) use copy::copy;
pub(crate) use current::{at, current, previous};
pub(crate) use diff::{Changes, diff};
pub(crate) use entries::entries;
pub(crate) use error::{error_json, error_text};
pub(crate) use history::history;
pub(crate) use hold::{held, held_all, holds, holds_all, unheld, unheld_all};
pub(crate) use ledger::{exported, initialised, surveyed, transferred};
pub(crate) use receipt::{declined, receipt, recovered};
pub(crate) use report::{asked, audit, channels, dry_run, retention, verified};
pub(crate) use style::{Style, shown};
pub(crate) use table::{Fields, Table};
