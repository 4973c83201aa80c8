//! Values that are checked when they are parsed. No I/O and no async; the clock is a trait.
//!
//! Text becomes a value only through `FromStr`, and serde uses it too. No part has a default. An error says what is
//! wrong and at which byte.

mod actor;
mod channel;
mod ci;
mod digest;
mod duration;
mod expression;
mod name;
mod nearest;
mod page;
mod parse;
mod past;
mod provenance;
mod range;
mod text;
mod time;
mod url;
mod written;

pub use actor::ActorName;
pub use channel::{Channel, Environment, Pipeline, Stage};
pub use ci::{ProvenanceParts, Terminal};
pub(crate) use digest::or_nothing;
pub use digest::{Algorithm, Digest};
pub use duration::{human_duration, parse_duration};
pub use expression::{ChannelName, ReleaseExpression};
pub use name::{Reference, Repository, Tag, Target};
pub(crate) use nearest::nearest;
pub(crate) use page::public_page;
pub(crate) use parse::{JsonText, serde_text, text_value};
use parse::{invalid, parse_name, quoted};
pub use past::{PastStep, PastTime};
pub use provenance::{Actor, ActorKind, Commit, Identity, Job, Provenance, Run};
pub use range::ReleaseRange;
pub use text::{IdempotencyKey, Line, ReleaseLabel};
pub(crate) use text::{is_forbidden, joined};
pub use time::{Clock, SystemClock, Timestamp};
pub use url::without_credentials;
pub(crate) use url::{host_and_path, public};
pub use written::{AsWritten, ReleaseName};
