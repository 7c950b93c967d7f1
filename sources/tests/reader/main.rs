//! The reader before a scripted source: how often it asks, for whom, and when not.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod finds;
mod script;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use sealwax_sources::{Budget, Content, Kind, Limits, Query, Reader, SourceError};

use tokio::runtime::Builder;
use tokio::time::Instant;

use script::{Script, address, unlimited, value};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_of_300_paths_make_300_calls() {
    let script = Script::new(1).taking(Duration::from_millis(20));
    let reader = Reader::new(script.source(), unlimited());
    let outcomes = join_all((0..1000).map(|caller| {
        let reader = reader.clone();
        async move { (caller, reader.read(&[address(caller % 300)], Some(HOUR)).await.remove(0)) }
    }));
    for (caller, outcome) in outcomes.await {
        assert_eq!(value(&outcome), format!("value of {}", address(caller % 300).key));
    }
    assert_eq!((script.calls(), reader.calls()), (300, 300));
    reader.read(&[address(7)], Some(HOUR)).await.remove(0).unwrap();
    assert_eq!(script.calls(), 300, "still fresh");
}

#[tokio::test(start_paused = true)]
async fn they_are_batched() {
    let script = Script::new(20);
    let reader = Reader::new(script.source(), unlimited());
    join_all((0..1000).map(|caller| {
        let reader = reader.clone();
        async move { reader.read(&[address(caller % 300)], Some(HOUR)).await.remove(0).unwrap() }
    }))
    .await;
    assert_eq!(script.calls(), 15);
}

#[tokio::test(start_paused = true)]
async fn what_one_call_read_comes_due_together_and_never_late() {
    let script = Script::new(20);
    let reader = Reader::new(script.source(), unlimited());
    let addresses: Vec<_> = (0..40).map(address).collect();
    let outcomes = reader.read(&addresses, Some(HOUR)).await;
    let due: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().unwrap().due(HOUR)).collect();
    assert_eq!(due.iter().collect::<BTreeSet<_>>().len(), 2, "one for each call");
    assert!(due.iter().all(|due| (HOUR * 7 / 10..=HOUR).contains(due)), "{due:?}");
    tokio::time::advance(HOUR).await;
    reader.read(&addresses, Some(HOUR)).await;
    assert_eq!(script.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn each_caller_has_an_interval_of_its_own() {
    let script = Script::new(1);
    let reader = Reader::new(script.source(), unlimited());
    reader.read(&[address(1)], Some(HOUR)).await;
    tokio::time::advance(HOUR / 2).await;
    reader.read(&[address(1)], Some(HOUR)).await;
    assert_eq!(script.calls(), 1);
    reader.read(&[address(1)], Some(HOUR / 4)).await;
    assert_eq!(script.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_forced_read_joins_what_is_queued_and_never_what_was_sent() {
    let script = Script::new(1).taking(Duration::from_secs(1));
    let reader = Reader::new(script.source(), unlimited());
    let forced = |reader: Arc<Reader>| tokio::spawn(async move { reader.read(&[address(1)], None).await.remove(0) });
    let (one, two) = (forced(reader.clone()), forced(reader.clone()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(script.calls(), 1);
    let (three, four) = (forced(reader.clone()), forced(reader.clone()));
    let joins = reader.read(&[address(1)], Some(HOUR)).await.remove(0).unwrap();
    for task in [one, two] {
        assert!(Arc::ptr_eq(&task.await.unwrap().unwrap(), &joins), "an ordinary read joins the call under way");
    }
    let (three, four) = (three.await.unwrap().unwrap(), four.await.unwrap().unwrap());
    assert!(Arc::ptr_eq(&three, &four) && !Arc::ptr_eq(&three, &joins));
    assert_eq!(script.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_a_handful_of_calls() {
    let script = Script::new(1).taking(Duration::from_millis(10));
    let reader = Reader::new(script.source(), Limits { concurrency: 8, ..unlimited() });
    let down = SourceError::new("Fake", "read", Kind::Unavailable { after: None }).with_code("503").with_key("other");
    script.fail(Some(down));
    let callers = (0..1000).map(|caller| {
        let reader = reader.clone();
        tokio::spawn(async move {
            for tries in 0_u32.. {
                match reader.read(&[address(caller)], Some(HOUR)).await.remove(0) {
                    Ok(_) => return tries,
                    Err(error) => assert_eq!(error.key, Some(address(caller).key)),
                }
                tokio::time::sleep(reader.paused_for().unwrap_or(Duration::from_secs(1))).await;
            }
            0
        })
    });
    let callers: Vec<_> = callers.collect();
    tokio::time::sleep(Duration::from_mins(10)).await;
    let calls = script.calls();
    assert!((10..40).contains(&calls), "{calls} calls in ten minutes");
    script.fail(None);
    let tries = join_all(callers).await;
    assert!(tries.iter().all(|tries| *tries.as_ref().unwrap() > 3));
    assert_eq!(script.calls(), calls + 1000);
    assert_eq!(reader.paused_for(), None);
}

#[tokio::test(start_paused = true)]
async fn waits_as_long_as_the_server_says() {
    let script = Script::new(1);
    let reader = Reader::new(script.source(), unlimited());
    let after = Some(Duration::from_secs(90));
    script.fail(Some(SourceError::new("Fake", "read", Kind::Throttled { after })));
    reader.read(&[address(1)], None).await.remove(0).unwrap_err();
    script.fail(None);
    assert_eq!(reader.paused_for(), after);
    tokio::time::advance(Duration::from_secs(89)).await;
    let error = reader.read(&[address(2)], None).await.remove(0).unwrap_err();
    assert_eq!((error.kind, error.key), (Kind::Throttled { after }, Some(address(2).key)));
    assert!(reader.find(&Query::default(), None).await.is_err() && reader.check().await.is_err());
    assert_eq!(script.calls(), 1);
    tokio::time::advance(Duration::from_secs(2)).await;
    reader.read(&[address(2)], None).await.remove(0).unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_fresh_is_given_in_a_pause_too() {
    let script = Script::new(1);
    let reader = Reader::new(script.source(), unlimited());
    reader.read(&[address(1)], Some(HOUR)).await;
    script.fail(Some(SourceError::new("Fake", "read", Kind::Unavailable { after: None })));
    reader.read(&[address(2)], Some(HOUR)).await.remove(0).unwrap_err();
    reader.read(&[address(1)], Some(HOUR)).await.remove(0).unwrap();
}

#[tokio::test(start_paused = true)]
async fn trouble_of_one_address_is_its_own() {
    let script = Script::new(1);
    let reader = Reader::new(script.source(), unlimited());
    for kind in [Kind::Missing, Kind::Denied, Kind::Invalid("no".to_owned())] {
        script.fail(Some(SourceError::new("Fake", "read", kind)));
        reader.read(&[address(1)], Some(HOUR)).await.remove(0).unwrap_err();
        script.fail(None);
        assert_eq!(reader.paused_for(), None);
        reader.read(&[address(2)], None).await.remove(0).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_loses_nothing_for_the_others() {
    let script = Script::new(1).taking(Duration::from_secs(5));
    let reader = Reader::new(script.source(), unlimited());
    let first = {
        let reader = reader.clone();
        tokio::spawn(async move { reader.read(&[address(1)], Some(HOUR)).await })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = {
        let reader = reader.clone();
        tokio::spawn(async move { reader.read(&[address(1)], Some(HOUR)).await.remove(0) })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.abort();
    second.await.unwrap().unwrap();
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_client_hangs_nobody() {
    let script = Script::new(20);
    let reader = Reader::new(script.source(), Limits { concurrency: 1, ..unlimited() });
    script.panic(true);
    for outcome in reader.read(&[address(1), address(2)], Some(HOUR)).await {
        assert_eq!(outcome.unwrap_err().reason(), "SourceUnavailable");
    }
    assert!(reader.find(&Query::default(), None).await.is_err());
    script.panic(false);
    assert_eq!(reader.paused_for(), None, "the server has done nothing");
    reader.read(&[address(1)], Some(HOUR)).await.remove(0).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_answers_is_given_up() {
    let script = Script::new(1).taking(Duration::MAX);
    let reader = Reader::new(script.source(), unlimited());
    let error = reader.read(&[address(1)], Some(HOUR)).await.remove(0).unwrap_err();
    assert_eq!(error.to_string(), "Fake read of team/1: there was no answer in time");
}

#[tokio::test(start_paused = true)]
async fn keeps_to_its_limits() {
    let script = Script::new(1).taking(Duration::from_millis(100));
    let reader = Reader::new(script.source(), Limits { concurrency: 3, per_second: 10.0, burst: 5 });
    let start = tokio::time::Instant::now();
    reader.read(&(0..50).map(address).collect::<Vec<_>>(), Some(HOUR)).await;
    assert!(start.elapsed() >= Duration::from_secs_f64(4.5), "{:?}", start.elapsed());
    assert!((1..=3).contains(&script.most_at_once()));
}

#[tokio::test(start_paused = true)]
async fn what_was_read_together_stays_together_though_its_readers_straggle() {
    let script = Script::new(20).taking(Duration::from_millis(10));
    let reader = Reader::new(script.source(), unlimited());
    let objects = (0_u32..100).map(|number| {
        let reader = reader.clone();
        tokio::spawn(async move {
            for round in 0..20 {
                let reading = reader.read(&[address(number as usize)], Some(HOUR)).await.remove(0).unwrap();
                let late = Duration::from_millis(5) * (number * 37 * (round + 1) % 100);
                tokio::time::sleep(reading.due(HOUR) + late).await;
            }
        })
    });
    futures::future::join_all(objects.collect::<Vec<_>>()).await;
    // 5 calls read them all, and a round takes 0.8 to 1.0 of an hour, but for what is read along early.
    assert!(script.calls() <= 5 * 20 * 3 / 2, "{} calls", script.calls());
}

#[tokio::test(start_paused = true)]
async fn identities_of_one_source_share_its_limits() {
    let script = Script::new(1).taking(Duration::from_millis(100));
    let budget = Budget::new(&Limits { concurrency: 3, per_second: 10.0, burst: 5 });
    let readers = [(); 2].map(|()| Reader::new(script.source(), budget.clone()));
    let start = tokio::time::Instant::now();
    let addresses: Vec<_> = (0..25).map(address).collect();
    tokio::join!(readers[0].read(&addresses, Some(HOUR)), readers[1].read(&addresses, Some(HOUR)));
    assert!(start.elapsed() >= Duration::from_secs_f64(4.5), "{:?}", start.elapsed());
    assert!((1..=3).contains(&script.most_at_once()));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_sent_too_long_ago_is_not_joined() {
    let script = Script::new(1).taking(Duration::from_millis(50));
    let reader = Reader::new(script.source(), unlimited());
    let readers = [(0, 1000), (10, 20), (20, 10), (30, 10)].map(|(pause, interval)| {
        let reader = reader.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let reading = reader.read(&[address(1)], Some(Duration::from_millis(interval))).await.remove(0).unwrap();
            reading.payload.version.clone().unwrap()
        }
    });
    assert_eq!(join_all(readers).await, ["0", "0", "50", "50"], "when what they got was asked for");
}

#[tokio::test(start_paused = true)]
async fn versions_and_metadata_are_other_readings() {
    let script = Script::new(1);
    let reader = Reader::new(script.source(), unlimited());
    let addresses = [address(1), address(1).with_version("2"), address(1).with_metadata(), address(1)];
    for outcome in reader.read(&addresses, Some(HOUR)).await {
        assert!(matches!(outcome.unwrap().payload.content, Content::Text(_)));
    }
    assert_eq!(script.calls(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is read when: nobody gets a value older than his interval, a forced read gets one that was read after it
    /// was asked for, and there is never more than one call for one wish.
    #[test]
    fn nobody_gets_what_is_too_old(steps in vec((0_usize..4, 0_u64..3000, option::of(1_u64..5000)), 1..60), batch in 1_usize..4) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let script = Script::new(batch).taking(Duration::from_millis(50));
            let reader = Reader::new(script.source(), unlimited());
            let mut callers = Vec::new();
            for (key, pause, interval) in steps.clone() {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                let (reader, script, asked) = (reader.clone(), script.clone(), Instant::now());
                callers.push(tokio::spawn(async move {
                    let interval = interval.map(Duration::from_millis);
                    let outcome = reader.read(&[address(key)], interval).await.remove(0);
                    let sent = script.sent_at(&outcome);
                    sent + interval.unwrap_or_default() >= asked && sent <= Instant::now()
                }));
            }
            for caller in callers {
                prop_assert!(caller.await.unwrap());
            }
            prop_assert!(script.calls() <= steps.len());
            Ok(())
        })?;
    }
}
