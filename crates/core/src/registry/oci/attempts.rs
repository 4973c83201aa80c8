//! `Attempts`: the attempts of one request, with the pauses between them and the results for the final error.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::RequestBuilder;
use tokio::time::Instant;

use super::answer::{Answer, Origin, read};
use super::observer::{SILENT_FOR, Watch};
use super::words::and;
use crate::backoff::Backoff;
use crate::error::{Error, ErrorKind, Result};

/// The longest error body that is read, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// The back-off between two attempts of one request.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) };

/// The number of attempts after a failure that is short or permanent, such as an unknown host. They take about a
/// second.
const FEW_TIMES: u32 = 5;

/// The least time that one request of a read gets, whatever the time for retries is.
const LEAST_ANSWER: Duration = Duration::from_secs(1);

/// The time of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallTime {
    start: Instant,
    /// The time at which the call ends.
    pub(super) end: Instant,
    /// The time after which no other attempt begins.
    retry_until: Instant,
    /// The longest time of one request, with the body of its answer; none for the idle timeout alone.
    each: Option<Duration>,
}

impl CallTime {
    /// A call that begins now. Its requests are tried again for `retry_for`, by default for `own`. A longer `retry_for`
    /// extends the call.
    pub(super) fn extended(own: Duration, retry_for: Option<Duration>) -> CallTime {
        let start = Instant::now();
        let retry_for = retry_for.unwrap_or(own);
        CallTime { start, end: start + own.max(retry_for), retry_until: start + retry_for, each: None }
    }

    /// The time of a read whose answer is small, such as that for a tag. One request of it takes no longer than the time
    /// that was given for retries, so that a registry which takes connections and never answers is not waited for longer
    /// than one that refuses them. Zero means one attempt, which has the time of a call without a time for retries.
    pub(super) fn small(self, retry_for: Option<Duration>) -> CallTime {
        let given = retry_for.filter(|time| !time.is_zero());
        CallTime { each: given.map(|time| time.max(LEAST_ANSWER)), ..self }
    }

    /// The same time, for a read whose answer may be large.
    pub(super) fn large(self) -> CallTime {
        CallTime { each: None, ..self }
    }

    /// A call that begins now and ends after `own` in any case.
    pub(super) fn fixed(own: Duration, retry_for: Option<Duration>) -> CallTime {
        let start = Instant::now();
        CallTime { start, end: start + own, retry_until: start + own.min(retry_for.unwrap_or(own)), each: None }
    }

    /// The latest end of the call if a request that was sent at `sent_at` gets no answer.
    fn end_of(self, sent_at: Instant) -> Instant {
        self.each.map_or(self.end, |each| (sent_at + each).max(self.retry_until).min(self.end))
    }

    /// The time since the call began.
    pub(super) fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    /// The whole time of the call, in seconds.
    pub(super) fn seconds(self) -> f64 {
        self.end.duration_since(self.start).as_secs_f64()
    }
}

/// An attempt that failed, and after which another one may succeed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// The wait that the registry asks for.
    pub(super) asked: Option<Duration>,
    pub(super) again: Again,
}

/// The number of attempts after a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// None.
    Never,
    /// A few, within about a second.
    FewTimes,
    /// As many as there is time for.
    InTime,
}

impl Failure {
    /// The failure of an answer that another attempt may change.
    pub(super) fn of(error: Error, answer: &Answer) -> Failure {
        Failure { error, asked: answer.asked_wait(), again: Again::InTime }
    }

    /// The failure with another error.
    pub(super) fn map(self, error: impl FnOnce(Error) -> Error) -> Failure {
        Failure { error: error(self.error), ..self }
    }
}

/// The attempts of one request. They are kept outside of the future that makes them, so that their results remain after
/// a timeout.
#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) time: CallTime,
    watch: Option<Watch>,
    /// True for a read: an answer that does not come is reported. A write may need its time to be sent.
    is_read: bool,
    /// The number of attempts that failed.
    failed: u32,
    /// True while a request was sent and has no answer: the registry may carry it out.
    pub(super) in_flight: bool,
    /// The answer whose body is being read.
    pub(super) arriving: Option<Answer>,
    /// The error of the last attempt that was answered.
    answered: Option<Error>,
    /// The error of the last attempt.
    pub(super) last: Option<Error>,
}

impl Attempts {
    pub(super) fn new(time: CallTime, watch: Option<Watch>) -> Attempts {
        let is_read = false;
        Attempts { time, watch, is_read, failed: 0, in_flight: false, arriving: None, answered: None, last: None }
    }

    pub(super) fn of_a_read(time: CallTime, watch: Option<Watch>) -> Attempts {
        Attempts { is_read: true, ..Attempts::new(time, watch) }
    }

    /// The attempts of another request of the same call.
    pub(super) fn of_another(&self) -> Attempts {
        Attempts { is_read: self.is_read, ..Attempts::new(self.time, self.watch.clone()) }
    }

    /// Sends a request and reads the answer: the body of a success up to `limit` bytes, or not at all without a limit;
    /// of any other answer as much of the body as arrives.
    pub(super) async fn send(
        &mut self,
        request: RequestBuilder,
        to: Origin,
        limit: Option<usize>,
    ) -> reqwest::Result<Answer> {
        let request = match self.time.each {
            Some(longest) => request.timeout(longest),
            None => request,
        };
        self.in_flight = true;
        let sent_at = Instant::now();
        let mut sending = std::pin::pin!(request.send());
        let sent = match tokio::time::timeout(SILENT_FOR, &mut sending).await {
            Ok(sent) => sent,
            Err(_) => {
                if let Some(watch) = self.watch.as_ref().filter(|_| self.is_read) {
                    watch.tell(&Watch::no_answer(self.time.elapsed()), self.time.end_of(sent_at));
                }
                sending.await
            }
        };
        // Every answer either ends the request, or means that it was not carried out.
        self.in_flight = false;
        let response = sent?;
        let (status, headers) = (response.status(), response.headers().clone());
        let limit = if status.is_success() { limit } else { Some(MAX_ERROR_BODY) };
        let answer =
            Answer { status, headers, body: BytesMut::new(), cut: None, no_login: None, login: None, from: to };
        let arriving = self.arriving.insert(answer);
        arriving.cut = read(response, limit, &mut arriving.body).await.err();
        let body = std::mem::take(&mut arriving.body);
        let answer = Answer { body, ..arriving.clone() };
        self.arriving = None;
        Ok(answer)
    }

    /// Records the error of an attempt, and returns the error to use if there is no other attempt. A lost connection or
    /// a timeout has no words of the registry, so those of the last answer are added.
    pub(super) fn note(&mut self, error: Error) -> Error {
        let is_answer = error.context().any(|(name, _)| name == "status");
        let error = match &self.answered {
            Some(answered) if !is_answer => and(error.kind(), &error, &format!("before that {answered}")),
            _ => error,
        };
        if is_answer {
            self.answered = Some(error.clone());
        }
        self.last = Some(error.clone());
        error
    }

    /// Waits before the next attempt, as long as the registry asks or else a pause that grows. Returns the error of the
    /// last attempt if there is no more time, or if no other attempt can succeed: REGISTRY_BUSY, with `retry_after_ms`,
    /// if the registry asks for a longer wait than there is time for.
    pub(super) async fn retry(&mut self, Failure { error, asked, again }: Failure) -> Result<()> {
        self.failed += 1;
        let error = self.note(error);
        match again {
            Again::Never => return Err(error),
            Again::FewTimes if self.failed > FEW_TIMES => return Err(error),
            Again::FewTimes | Again::InTime => {}
        }
        // Some registries ask for no wait every time, so wait at least the pause.
        let pause = BACKOFF.pause(self.failed).max(asked.unwrap_or_default());
        let until = self.time.end.min(self.time.retry_until);
        let left = until.saturating_duration_since(Instant::now());
        if pause < left {
            if let Some(watch) = self.watch.as_ref().filter(|_| self.time.elapsed() + pause >= SILENT_FOR) {
                watch.tell(error.message(), until);
            }
            tokio::time::sleep(pause).await;
            return Ok(());
        }
        let Some(asked) = asked.filter(|asked| *asked >= left) else { return Err(error) };
        let (left, seconds) = (left.as_secs_f64(), asked.as_secs_f64());
        let why = format!("it asks to wait for {seconds} s, and {left:.1} s are left");
        Err(and(ErrorKind::RegistryBusy, &error, &why).with_context("retry_after_ms", asked.as_millis()))
    }
}
