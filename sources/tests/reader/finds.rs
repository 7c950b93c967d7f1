//! Finds: shared like reads, bounded, and nothing that reads wait for.

use std::time::Duration;

use futures::future::join_all;
use sealwax_sources::{Kind, Limits, Query, Reader, SourceError};
use tokio::time::Instant;

use crate::HOUR;
use crate::script::{Script, address, unlimited};

#[tokio::test(start_paused = true)]
async fn finds_are_shared_too() {
    let script = Script::new(1).taking(Duration::from_millis(10));
    let reader = Reader::new(script.source(), unlimited());
    let query = Query { name: Some("a".to_owned()), ..Query::default() };
    join_all((0..100).map(|_| reader.find(&query, Some(HOUR)))).await;
    assert_eq!(script.calls(), 1);
    tokio::time::advance(HOUR).await;
    reader.find(&query, Some(HOUR)).await.unwrap();
    reader.find(&query, None).await.unwrap();
    assert_eq!(script.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_find_after_a_pause_keeps_no_read_waiting() {
    let script = Script::new(1);
    let reader = Reader::new(script.source(), Limits { concurrency: 4, ..unlimited() });
    script.fail(Some(SourceError::new("Fake", "read", Kind::Unavailable { after: Some(Duration::from_secs(5)) })));
    reader.read(&[address(1)], None).await.remove(0).unwrap_err();
    script.fail(None);
    script.hang_finds();
    tokio::time::sleep(Duration::from_secs(5)).await;
    for name in 0..10 {
        let reader = reader.clone();
        let query = Query { name: Some(name.to_string()), ..Query::default() };
        tokio::spawn(async move { reader.find(&query, None).await });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    // Twice: after the pause is over, too, finds leave places to reads.
    for _ in 0..2 {
        reader.read(&[address(1)], None).await.remove(0).unwrap();
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_find_of_more_than_a_secret_holds_is_refused() {
    let script = Script::new(1);
    let reader = Reader::new(script.source(), unlimited());
    script.find_so_many(10_000);
    assert_eq!(reader.find(&Query::default(), None).await.unwrap().len(), 10_000);
    script.find_so_many(10_001);
    let error = reader.find(&Query::default(), None).await.unwrap_err();
    assert_eq!(error.to_string(), "Fake find: more than 10000 secrets are found: narrow it down");
    assert_eq!(reader.paused_for(), None);
}
