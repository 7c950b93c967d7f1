//! Whole processes: the real `sops` and the built `sealwax` on the same files, every type of file with every type of key
//! and every selector, in every direction. A cell that did not run fails the test.

mod directions;
mod documents;
mod keys;
mod plan;
mod programs;
mod spans;
mod tampering;
mod traps;

use std::sync::Mutex;
use std::thread;

use keys::World;
use plan::{Account, plan};

/// Processes wait for each other's disks, agents and servers, so that more of them than cores are at work at a time.
const AT_A_TIME: usize = 4;

#[test]
fn every_cell() {
    let (plan, impossible) = plan();
    let (world, account) = (World::new(), Account::default());
    let (queue, failures) = (Mutex::new(plan.iter()), Mutex::new(Vec::new()));
    // Held only while the next cell is taken.
    let next = || queue.lock().unwrap().next().copied();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(cell) = next() {
                    match directions::run(cell, &world) {
                        Ok(()) => account.tick(cell),
                        Err(why) => failures.lock().unwrap().push(format!("{cell}: {why}")),
                    }
                }
            });
        }
    });
    for cell in &impossible {
        println!("not run: {cell}: {}", cell.impossible().unwrap_or_default());
    }
    let failures = failures.into_inner().unwrap();
    println!("{} cells planned, {} failed, {} cannot be", plan.len(), failures.len(), impossible.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let missed = account.against(&plan);
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
