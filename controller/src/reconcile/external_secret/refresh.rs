//! When the values of an object are read again. Pure.

use std::time::Duration;

use jiff::Timestamp;
use sealwax_crds::{ExternalSecret, ExternalSecretStatus, RefreshPolicy};
use sealwax_render::external::parse_duration;
use sha2::{Digest, Sha256};

/// How often values are read if nobody says.
const EVERY: Duration = Duration::from_hours(1);
/// And at most.
const AT_MOST: Duration = Duration::from_secs(1);

/// How often it is looked whether somebody has put something right elsewhere, where no watch tells of it: as often as
/// values are read, within these bounds.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(2));
/// After how long a fault is tried again that time heals, if the source does not say.
const HEALS: Duration = Duration::from_secs(5);

/// When values are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Now.
    Now,
    /// Now, whatever has been read of late: somebody asked for it.
    Anew,
    /// After this.
    Later(Duration),
    /// When something else changes.
    Never,
}

/// What that depends on, besides the object.
#[derive(Clone, Copy, Debug)]
pub(super) struct History<'a> {
    /// The object's status.
    pub status: &'a ExternalSecretStatus,
    /// What it is read through, as it is now.
    pub versions: &'a str,
    /// When what was read is due, if this process read it.
    pub due: Option<Timestamp>,
    /// Whether somebody asks for a refresh.
    pub asked: bool,
    /// Now.
    pub now: Timestamp,
}

/// How often an object wants its values read; `None`: not by the time.
pub(super) fn interval(object: &ExternalSecret) -> Option<Duration> {
    if object.spec.refresh_policy.unwrap_or_default() != RefreshPolicy::Periodic {
        return None;
    }
    let stated = object.spec.refresh_interval.as_deref().map(|text| parse_duration(text).unwrap_or(EVERY));
    let interval = stated.unwrap_or(EVERY);
    (!interval.is_zero()).then(|| interval.max(AT_MOST))
}

/// After how long to look again when values could not be read: whether somebody must act, how long the source wants to be
/// left alone, and how often the object wants its values.
pub(super) fn after_failure(is_final: bool, paused: Option<Duration>, interval: Option<Duration>) -> Duration {
    let (shortest, longest) = LOOK_AGAIN;
    if is_final { interval.unwrap_or(longest).clamp(shortest, longest) } else { paused.unwrap_or(HEALS) }
}

/// When its values are read again.
///
/// | policy | the first time | spec or stores changed | asked for | time |
/// |---|---|---|---|---|
/// | `Periodic` | yes | yes | yes | after the interval |
/// | `OnChange`, or interval 0 | yes | yes | yes | never |
/// | `CreatedOnce` | yes | no | no | never |
pub(super) fn due(object: &ExternalSecret, history: History<'_>) -> Due {
    let History { status, now, .. } = history;
    let Some(read) = status.refresh_time.as_ref().map(|time| time.0) else { return Due::Now };
    let policy = object.spec.refresh_policy.unwrap_or_default();
    if policy == RefreshPolicy::CreatedOnce {
        return Due::Never;
    }
    if history.asked {
        return Due::Anew;
    }
    let changed = status.refreshed_generation != object.metadata.generation
        || status.store_versions.as_deref() != Some(history.versions);
    if changed {
        return Due::Now;
    }
    let Some(interval) = interval(object) else { return Due::Never };
    // A clock that was set back must not keep anything for longer than its interval.
    if read > now {
        return Due::Now;
    }
    let due = history.due.unwrap_or_else(|| read + interval.mul_f64(0.8 + 0.2 * share(object)));
    match Duration::try_from(due.duration_since(now)) {
        Ok(left) if !left.is_zero() => Due::Later(left.min(interval)),
        _ => Due::Now,
    }
}

/// Between 0 and 1: the same for all objects that read the same first, so that they read it together after a restart too.
fn share(object: &ExternalSecret) -> f64 {
    let spec = &object.spec;
    let store = spec.secret_store_ref.as_ref().map(|store| store.name.as_str()).unwrap_or_default();
    let first = spec.data.iter().map(|entry| entry.remote_ref.key.as_str());
    let extracted = spec.data_from.iter().filter_map(|entry| entry.extract.as_ref()).map(|remote| remote.key.as_str());
    let key = extracted.chain(first).min().unwrap_or_default();
    let hash = Sha256::digest(format!("{store}\n{key}"));
    f64::from(u16::from_be_bytes([hash[0], hash[1]])) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn object(spec: &serde_json::Value) -> ExternalSecret {
        let mut object = json!({
            "apiVersion": "sealwax.dev/v1alpha1", "kind": "ExternalSecret", "metadata": {"name": "db", "generation": 2},
            "spec": {"secretStoreRef": {"name": "vault"},
                "data": [{"secretKey": "a", "remoteRef": {"key": "team/db"}}]},
        });
        object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn only_who_reads_by_the_time_takes_what_others_read_within_it() {
        for (spec, expected) in [
            (json!({}), Some(EVERY)),
            (json!({"refreshInterval": "5m"}), Some(Duration::from_mins(5))),
            (json!({"refreshInterval": "1ms"}), Some(AT_MOST)),
            (json!({"refreshInterval": "0"}), None),
            (json!({"refreshPolicy": "OnChange"}), None),
            (json!({"refreshPolicy": "CreatedOnce", "refreshInterval": "5m"}), None),
        ] {
            assert_eq!(interval(&object(&spec)), expected, "{spec}");
        }
    }

    #[test]
    fn looks_again_as_often_as_values_are_wanted_and_as_the_source_bears() {
        let seconds = Duration::from_secs;
        for (is_final, paused, interval, expected) in [
            (true, None, Some(30), 30),
            (true, None, Some(1), 10),
            (true, None, Some(3600), 120),
            (true, None, None, 120),
            (true, Some(50), Some(30), 30),
            (false, Some(50), Some(30), 50),
            (false, None, Some(30), 5),
        ] {
            let wait = after_failure(is_final, paused.map(seconds), interval.map(seconds));
            assert_eq!(wait, seconds(expected), "{is_final} {paused:?} {interval:?}");
        }
    }

    type Change = fn(&mut ExternalSecretStatus, &mut History<'_>);

    #[test]
    fn what_makes_values_be_read_again() {
        use Due::{Anew, Never, Now};
        let policies = [
            (json!({}), "Periodic"),
            (json!({"refreshInterval": "0"}), "interval 0"),
            (json!({"refreshPolicy": "OnChange"}), "OnChange"),
            (json!({"refreshPolicy": "CreatedOnce"}), "CreatedOnce"),
        ];
        // Read at 1000; what has changed since; and what each policy makes of it.
        let cases: [(&str, Change, [Option<Due>; 4]); 8] = [
            ("first", |status, _| status.refresh_time = None, [Some(Now); 4]),
            ("nothing", |_, _| {}, [None, Some(Never), Some(Never), Some(Never)]),
            ("spec", |status, _| status.refreshed_generation = Some(1), [Some(Now), Some(Now), Some(Now), Some(Never)]),
            ("stores", |_, history| history.versions = "v2", [Some(Now), Some(Now), Some(Now), Some(Never)]),
            ("asked", |_, history| history.asked = true, [Some(Anew), Some(Anew), Some(Anew), Some(Never)]),
            ("an hour", |_, history| history.now = at(4601), [Some(Now), Some(Never), Some(Never), Some(Never)]),
            ("told", |_, history| history.due = Some(at(1900)), [Some(Now), Some(Never), Some(Never), Some(Never)]),
            ("clock", |_, history| history.now = at(900), [Some(Now), Some(Never), Some(Never), Some(Never)]),
        ];
        for (what, change, expected) in cases {
            for ((spec, policy), expected) in policies.iter().zip(expected) {
                let mut status = ExternalSecretStatus {
                    refresh_time: Some(Time(at(1000))),
                    refreshed_generation: Some(2),
                    store_versions: Some("v1".into()),
                    ..ExternalSecretStatus::default()
                };
                let seen = status.clone();
                let mut history = History { status: &seen, versions: "v1", due: None, asked: false, now: at(2000) };
                change(&mut status, &mut history);
                let due = due(&object(spec), History { status: &status, ..history });
                match expected {
                    Some(expected) => assert_eq!(due, expected, "{what} {policy}"),
                    None => assert!(matches!(due, Due::Later(_)), "{what} {policy}: {due:?}"),
                }
            }
        }
    }

    #[test]
    fn an_interval_is_the_oldest_that_anything_gets() {
        let status = ExternalSecretStatus {
            refresh_time: Some(Time(at(0))),
            refreshed_generation: Some(2),
            store_versions: Some(String::new()),
            ..ExternalSecretStatus::default()
        };
        for key in 0..100 {
            let data = json!([{"secretKey": "a", "remoteRef": {"key": format!("team/{key}")}}]);
            let object = object(&json!({"refreshInterval": "100s", "data": data}));
            let history = History { status: &status, versions: "", due: None, asked: false, now: at(0) };
            let Due::Later(wait) = due(&object, history) else { panic!("not at once") };
            assert!((80..=100).contains(&wait.as_secs()), "{wait:?}");
        }
    }

    #[test]
    fn intervals_that_make_no_sense_are_the_usual_one() {
        let interval = |text: &str| interval(&object(&json!({"refreshInterval": text})));
        assert_eq!(interval("15m"), Some(Duration::from_mins(15)));
        assert_eq!(interval("0s"), None);
        assert_eq!(interval("1ns"), Some(AT_MOST));
        assert_eq!(interval("soon"), Some(EVERY));
    }
}
