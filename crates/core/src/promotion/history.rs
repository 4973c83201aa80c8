//! `History`: the moves of a channel, newest first, without an end of a page.

use super::promoter::Promoter;
use crate::error::Result;
use crate::log::MoveRecord;
use crate::value::Channel;

/// The number of moves that are read at once.
const AT_ONCE: usize = 50;

/// The moves of a channel, newest first, as [`Promoter::history`] gives them. They are read as they are asked for, so
/// that a caller who stops early reads no more of the log.
///
/// ```
/// # async fn example(promoter: tagwarden::Promoter, prod: tagwarden::Channel) -> tagwarden::Result<()> {
/// let mut history = promoter.history(&prod);
/// while let Some(moved) = history.next().await? {
///     println!("#{} {} to {}", moved.seq, moved.intent.op.as_str(), moved.intent.target.digest);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct History {
    promoter: Promoter,
    channel: Channel,
    read: std::vec::IntoIter<MoveRecord>,
    /// The moves before this position were not read yet; none if all were read.
    before: Option<u64>,
}

impl Promoter {
    /// Every move of a channel, newest first; [`Promoter::history_page`] gives a part of them.
    pub fn history(&self, channel: &Channel) -> History {
        History {
            promoter: self.clone(),
            channel: channel.clone(),
            read: Vec::new().into_iter(),
            before: Some(u64::MAX),
        }
    }
}

impl History {
    /// The next move; none after the first move of the channel.
    pub async fn next(&mut self) -> Result<Option<MoveRecord>> {
        loop {
            if let Some(moved) = self.read.next() {
                return Ok(Some(moved));
            }
            let Some(before) = self.before else { return Ok(None) };
            let page = self.promoter.history_page(&self.channel, Some(before), AT_ONCE).await?;
            (self.read, self.before) = (page.events.into_iter(), page.next);
        }
    }
}
