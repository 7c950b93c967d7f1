//! A team's month: what happens to encrypted files when people work on them at the same time, with real Git.
//!
//! Two clones and a bare remote. Every meeting of two branches (`meetings.rs`) is tried by every way in which Git joins
//! work (`ways.rs`), with the merge driver and without: each ends with all values in place, or with a conflict that
//! shows both sides. A value is never lost.

mod clones;
mod meetings;
mod outcome;
mod ways;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clones::Clones;
use meetings::MEETINGS;
use ways::WAYS;

/// One cell of the table.
type Cell = (&'static str, &'static str, bool);

#[test]
fn every_meeting_by_every_way_with_and_without_the_driver() {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeSet::<Cell>::new()));
    // Git and the command are processes: two at a time keep two cores busy.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(meeting) = MEETINGS.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let clones = Clones::of(meeting);
                    for driver in [true, false] {
                        clones.use_driver(driver);
                        for way in &WAYS {
                            let joined = (way.join)(&clones);
                            outcome::check(&clones, meeting, way.name, driver, &joined);
                            clones.back_to_the_start();
                            done.lock().unwrap().insert((meeting.name, way.name, driver));
                        }
                    }
                }
            });
        }
    });
    let done = done.into_inner().unwrap();
    assert_eq!(done.len(), MEETINGS.len() * WAYS.len() * 2, "a cell was not tried: {done:?}");
    assert_eq!((MEETINGS.len(), WAYS.len()), (16, 6));
}
