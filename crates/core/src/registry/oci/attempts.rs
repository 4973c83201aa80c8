//! `Attempts`: the attempts of one request, with the pauses between them and the results for the final error.

use std::time::Duration;

use bytes::BytesMut;
use reqwest::RequestBuilder;
use tokio::time::Instant;

use super::answer::{Answer, Origin, read};
use super::options::OciOptions;
use super::words::and;
use crate::backoff::Backoff;
use crate::error::{Error, ErrorKind, Result};

/// The longest error body that is read, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// The back-off between two attempts of one request.
pub(super) const BACKOFF: Backoff = Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) };

/// The attempts of one request. They are kept outside of the future that makes them, so that their results remain after
/// a timeout.
#[derive(Debug)]
pub(super) struct Attempts {
    retries: u32,
    max_retry_after: Duration,
    /// The time at which the request ends.
    pub(super) deadline: Instant,
    /// The number of attempts that failed.
    pub(super) failed: u32,
    /// True while a request has no answer, so that it may be carried out.
    pub(super) in_flight: bool,
    /// The answer whose body is being read.
    pub(super) arriving: Option<Answer>,
    /// The error of the last attempt that was answered.
    answered: Option<Error>,
    /// The error of the last attempt.
    pub(super) last: Option<Error>,
}

impl Attempts {
    pub(super) fn new(options: &OciOptions, deadline: Instant) -> Attempts {
        let OciOptions { retries, max_retry_after, .. } = *options;
        let (failed, in_flight, arriving, answered, last) = (0, false, None, None, None);
        Attempts { retries, max_retry_after, deadline, failed, in_flight, arriving, answered, last }
    }

    /// Sends a request and reads the answer: the body of a success up to `limit` bytes, or not at all without a limit; of
    /// any other answer as much of the body as arrives.
    pub(super) async fn send(
        &mut self,
        request: RequestBuilder,
        to: Origin,
        limit: Option<usize>,
    ) -> reqwest::Result<Answer> {
        self.in_flight = true;
        let sent = request.send().await;
        // Every answer either ends the request, or means that it was not carried out.
        self.in_flight = false;
        let response = sent?;
        let (status, headers) = (response.status(), response.headers().clone());
        let limit = if status.is_success() { limit } else { Some(MAX_ERROR_BODY) };
        let answer =
            Answer { status, headers, body: BytesMut::new(), cut: None, no_login: None, anonymous: None, from: to };
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

    /// Waits before the next attempt, or returns the error of the last one if there are no more retries or there is no
    /// more time.
    pub(super) async fn retry(&mut self, error: Error, asked: Option<Duration>) -> Result<()> {
        self.failed += 1;
        if self.failed > self.retries {
            return Err(self.note(error));
        }
        self.wait(error, asked, self.failed).await
    }

    /// As [`retry`](Attempts::retry), for any number of attempts, of which `failed` failed.
    pub(super) async fn wait(&mut self, error: Error, asked: Option<Duration>, failed: u32) -> Result<()> {
        let error = self.note(error);
        let time = asked.unwrap_or_else(|| BACKOFF.pause(failed));
        let left = self.deadline.saturating_duration_since(Instant::now());
        if time < left && time <= self.max_retry_after {
            tokio::time::sleep(time).await;
            return Ok(());
        }
        let Some(asked) = asked else { return Err(error) };
        let most = left.min(self.max_retry_after).as_secs_f64();
        let why = format!("at most {most:.1} s may be waited, and it asks to wait for {} s", asked.as_secs_f64());
        Err(and(ErrorKind::RegistryBusy, &error, &why))
    }
}
