//! Logs, set up so that no value can reach them, and errors in words.

use std::panic;

use kube::runtime::watcher;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

use crate::args::LogFormat;

/// Starts logging. `RUST_LOG` chooses the level, `info` without it.
pub fn start(format: LogFormat) {
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    for directive in quiet() {
        filter = filter.add_directive(directive);
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // A second call, in tests, finds logging already set up.
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => builder.try_init(),
    };
    panic::set_hook(Box::new(|info| {
        // Only where: messages of panics quote what was being handled ("byte index 3 of `...`").
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}

/// What stays off whatever `RUST_LOG` says: the client logs the body of an answer that it cannot parse, and a body can
/// hold a key. And what costs memory for each of thousands of objects that wait for their turn: a span that says no more
/// than our own words do.
fn quiet() -> Vec<Directive> {
    ["kube_client::client=error", "kube_runtime=warn", "hyper=warn", "h2=warn", "rustls=warn"]
        .iter()
        .filter_map(|d| d.parse().ok())
        .collect()
}

/// An error with its sources on one line. Our messages never repeat their source; those of others do.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Says what a client error is without the body that caused it.
pub fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} (HTTP {})", status.message, status.code),
        kube::Error::SerdeError(_) => "the API server's answer cannot be read".to_owned(),
        other => chain(other),
    }
}

/// The same for a watch.
pub fn describe_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(e) | watcher::Error::WatchStartFailed(e) | watcher::Error::WatchFailed(e) => {
            describe(e)
        }
        watcher::Error::WatchError(status) => status.message.clone(),
        watcher::Error::NoResourceVersion => "the API server gave no resourceVersion".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directive_parses() {
        assert_eq!(quiet().len(), 5);
    }
}
