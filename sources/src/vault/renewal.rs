//! Keeps a token alive in the background, for as long as its session is there.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use vaultrs::api::token::requests::RenewTokenSelfRequest;

use super::auth::{Session, Token};
use super::login::{Grant, renewed};
use crate::limits::random_share;
use crate::{Kind, SourceError};

/// Never more often than this, whatever a server says about its tokens.
const AT_LEAST: Duration = Duration::from_millis(500);

/// Ends with the session: between two acts it holds none.
pub(super) async fn keep(session: Weak<Session>) {
    let mut failures = 0;
    loop {
        let Some(strong) = session.upgrade() else { return };
        let changed = strong.changed.clone();
        let due = strong.current().and_then(|token| due(&token.grant, failures, random_share()));
        drop(strong);
        let Some(due) = due else {
            changed.notified().await;
            continue;
        };
        tokio::select! {
            () = changed.notified() => {
                failures = 0;
                continue;
            }
            () = sleep_until(due) => {}
        }
        let Some(strong) = session.upgrade() else { return };
        let Some(token) = strong.current() else { continue };
        failures = if strong.prolong(&token).await.is_ok() { 0 } else { failures + 1 };
    }
}

/// At about two thirds of its time; one that cannot be renewed is replaced shortly before it ends. After a failure there
/// is what is left of the time: halves of it. `None`: it lasts for ever, or nothing can be done any more.
fn due(grant: &Grant, failures: u32, share: f64) -> Option<Instant> {
    let (lasts, ends) = (grant.lasts?, grant.ends()?);
    let part = if grant.renewable { 0.6 + 0.13 * share } else { 0.85 + 0.07 * share };
    let now = Instant::now();
    if failures == 0 {
        return Some((grant.since + lasts.mul_f64(part)).max(now + AT_LEAST));
    }
    // Whoever needs a token after its end logs in for himself.
    let left = ends.checked_duration_since(now).filter(|left| *left > AT_LEAST * 2)?;
    Some(now + (left / 2).clamp(AT_LEAST, Duration::from_mins(1)))
}

impl Session {
    /// Renews a token, or gets another in time.
    async fn prolong(self: &Arc<Self>, token: &Arc<Token>) -> Result<(), SourceError> {
        let before = token.grant.lasts.unwrap_or_default();
        if token.grant.renewable {
            let since = Instant::now();
            match self.renew(token, since).await {
                // Near the end of all renewals each one gives less: a new login is better than many of those.
                Ok(grant) if !token.ours || grant.lasts.is_none_or(|lasts| lasts > before / 2) => {
                    self.set_unless_replaced(token, grant);
                    return Ok(());
                }
                Err(error) if error.is_transient() || !token.ours => return self.after_failure(token, error),
                Ok(_) | Err(_) => {}
            }
        }
        if token.ours {
            self.log_in(Some(token)).await?;
        } else {
            // Its end is known, and nobody but its maker can do anything about it.
            self.set_unless_replaced(token, Grant { lasts: None, ..token.grant });
        }
        Ok(())
    }

    async fn renew(&self, token: &Token, since: Instant) -> Result<Grant, SourceError> {
        let body = self.own_call(&RenewTokenSelfRequest { increment: None }, "renew", token).await?;
        renewed(&body, since)
    }

    /// A token that somebody made and that may not renew itself is used until it is refused.
    fn after_failure(self: &Arc<Self>, token: &Arc<Token>, error: SourceError) -> Result<(), SourceError> {
        if token.ours || error.kind != Kind::Denied {
            return Err(error);
        }
        self.set_unless_replaced(token, Grant { lasts: None, ..token.grant });
        Ok(())
    }

    fn set_unless_replaced(self: &Arc<Self>, token: &Arc<Token>, grant: Grant) {
        if self.current().is_some_and(|current| Arc::ptr_eq(&current, token)) {
            self.set(Token { secret: token.secret.duplicate(), grant, ours: token.ours });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(seconds: u64, renewable: bool) -> Grant {
        Grant { since: Instant::now(), lasts: Some(Duration::from_secs(seconds)), renewable }
    }

    #[tokio::test(start_paused = true)]
    async fn is_renewed_at_about_two_thirds() {
        for share in [0.0, 0.5, 1.0] {
            let wait = due(&grant(3600, true), 0, share).unwrap() - Instant::now();
            assert!((2160..=2640).contains(&wait.as_secs()), "{wait:?}");
            let wait = due(&grant(3600, false), 0, share).unwrap() - Instant::now();
            assert!((3060..=3320).contains(&wait.as_secs()), "{wait:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_spread_over_what_is_left() {
        let wait = due(&grant(60, true), 1, 0.0).unwrap() - Instant::now();
        assert_eq!(wait, Duration::from_secs(30));
        assert_eq!(due(&grant(1, true), 3, 0.0), None);
        assert_eq!(due(&Grant { lasts: None, ..grant(0, true) }, 0, 0.0), None);
    }
}
