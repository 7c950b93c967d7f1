//! Events, on transitions only: an object that stays as it is causes none.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::telemetry::describe;
use crate::writer::MANAGER;

/// The longest note that the API server takes.
const MAX_NOTE: usize = 1024;

/// Publishes events.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// Publishes through this client.
    pub fn new(client: Client) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: None };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Something that people should look at.
    pub async fn warn(&self, regarding: &ObjectReference, reason: &str, note: &str) {
        self.publish(EventType::Warning, regarding, reason, note).await;
    }

    /// Something that went well after it had not.
    pub async fn tell(&self, regarding: &ObjectReference, reason: &str, note: &str) {
        self.publish(EventType::Normal, regarding, reason, note).await;
    }

    /// A lost event is logged and no more: what matters stands in the status.
    async fn publish(&self, type_: EventType, regarding: &ObjectReference, reason: &str, note: &str) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(shortened(note)),
            // Events of one action are counted as one, and only the first one's note is kept.
            action: format!("Reconcile-{}", short_hash(note)),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, regarding).await {
            tracing::warn!(error = describe(&error), reason, "an event could not be published");
        }
    }
}

fn short_hash(text: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:08x}", hasher.finish() & 0xffff_ffff)
}

fn shortened(note: &str) -> String {
    let mut end = note.len().min(MAX_NOTE);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_fit() {
        assert_eq!(shortened("short"), "short");
        assert!(shortened(&"ä".repeat(600)).len() <= MAX_NOTE);
    }
}
