//! Which combinations there are, and an account of those that ran.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

/// What a file is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileType {
    Yaml,
    Json,
    Dotenv,
    Ini,
    Binary,
}

/// What holds the data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyType {
    AgeX25519,
    AgePostQuantum,
    AgeSshEd25519,
    AgeSshRsa,
    Pgp,
    VaultTransit,
    AwsKms,
    /// Two of two shares: age and PGP.
    TwoGroups,
}

/// Which values are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Selecting {
    DefaultSuffix,
    EncryptedSuffix,
    EncryptedRegex,
    UnencryptedRegex,
    EncryptedCommentRegex,
    UnencryptedCommentRegex,
    MacOnlyEncrypted,
}

/// Who does what to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    SopsWritesWeRead,
    WeWriteSopsReads,
    SopsWritesWeEditSopsReads,
    WeWriteSopsEditsWeRead,
}

const FILE_TYPES: [FileType; 5] = [FileType::Yaml, FileType::Json, FileType::Dotenv, FileType::Ini, FileType::Binary];
const KEY_TYPES: [KeyType; 8] = [
    KeyType::AgeX25519,
    KeyType::AgePostQuantum,
    KeyType::AgeSshEd25519,
    KeyType::AgeSshRsa,
    KeyType::Pgp,
    KeyType::VaultTransit,
    KeyType::AwsKms,
    KeyType::TwoGroups,
];
const SELECTORS: [Selecting; 7] = [
    Selecting::DefaultSuffix,
    Selecting::EncryptedSuffix,
    Selecting::EncryptedRegex,
    Selecting::UnencryptedRegex,
    Selecting::EncryptedCommentRegex,
    Selecting::UnencryptedCommentRegex,
    Selecting::MacOnlyEncrypted,
];
const DIRECTIONS: [Direction; 4] = [
    Direction::SopsWritesWeRead,
    Direction::WeWriteSopsReads,
    Direction::SopsWritesWeEditSopsReads,
    Direction::WeWriteSopsEditsWeRead,
];

/// One combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) file: FileType,
    pub(crate) key: KeyType,
    pub(crate) selecting: Selecting,
    pub(crate) direction: Direction,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} × {:?} × {:?} × {:?}", self.file, self.key, self.selecting, self.direction)
    }
}

impl Cell {
    /// Why there is no such file, if there is none.
    pub(crate) fn impossible(self) -> Option<&'static str> {
        let selects_nothing = self.file == FileType::Json && self.selecting == Selecting::EncryptedCommentRegex;
        selects_nothing.then_some("JSON has no comments: we refuse to write it, and SOPS writes it in the clear")
    }
}

/// Every type of file with every type of key and with every selector, in every direction: each cell once, and those that
/// cannot be apart.
pub(crate) fn plan() -> (Vec<Cell>, Vec<Cell>) {
    let mut cells = Vec::new();
    for file in FILE_TYPES {
        let by_key = KEY_TYPES.map(|key| (key, Selecting::DefaultSuffix));
        // The default is among the keys' already.
        let others = SELECTORS.into_iter().filter(|selecting| *selecting != Selecting::DefaultSuffix);
        let by_selector = others.map(|selecting| (KeyType::AgeX25519, selecting));
        for (key, selecting) in by_key.into_iter().chain(by_selector) {
            cells.extend(DIRECTIONS.map(|direction| Cell { file, key, selecting, direction }));
        }
    }
    cells.into_iter().partition(|cell| cell.impossible().is_none())
}

/// How often each cell ran to its end.
#[derive(Default)]
pub(crate) struct Account(Mutex<BTreeMap<Cell, usize>>);

impl Account {
    pub(crate) fn tick(&self, cell: Cell) {
        *self.0.lock().unwrap().entry(cell).or_default() += 1;
    }

    /// What separates it from the plan: cells that did not run, ran again, or were not planned.
    pub(crate) fn against(&self, plan: &[Cell]) -> Vec<String> {
        let ran = self.0.lock().unwrap();
        let planned = plan.iter().map(|cell| (cell, ran.get(cell).copied().unwrap_or_default()));
        let unplanned = ran.keys().filter(|cell| !plan.contains(cell)).map(|cell| format!("{cell}: was not planned"));
        let wrong = planned.filter(|(_, times)| *times != 1).map(|(cell, times)| format!("{cell}: ran {times} times"));
        wrong.chain(unplanned).collect()
    }
}

#[test]
fn the_account_misses_nothing() {
    let (plan, _) = plan();
    let [first, second, third, ..] = plan.as_slice() else { panic!("more cells than these") };
    let account = Account::default();
    account.tick(*first);
    assert!(account.against(&[*first]).is_empty());
    account.tick(*third);
    account.tick(*third);
    let wrong = account.against(&[*first, *second]);
    assert_eq!(wrong, [format!("{second}: ran 0 times"), format!("{third}: was not planned")]);
    assert_eq!(account.against(&[*first, *third]), [format!("{third}: ran 2 times")]);
}

#[test]
fn the_plan_has_every_pair_once() {
    let (possible, impossible) = plan();
    let all: Vec<Cell> = possible.iter().chain(&impossible).copied().collect();
    for file in FILE_TYPES {
        for direction in DIRECTIONS {
            let has = |wanted: &dyn Fn(&Cell) -> bool| {
                all.iter().filter(|cell| cell.file == file && cell.direction == direction && wanted(cell)).count()
            };
            for key in KEY_TYPES {
                assert_eq!(has(&|cell| cell.key == key && cell.selecting == Selecting::DefaultSuffix), 1);
            }
            for selecting in SELECTORS {
                assert_eq!(has(&|cell| cell.selecting == selecting && cell.key == KeyType::AgeX25519), 1);
            }
        }
    }
    // 5 × (8 + 7 - 1) × 4, and one type of file without one selector.
    assert_eq!((possible.len(), impossible.len()), (276, 4));
}
