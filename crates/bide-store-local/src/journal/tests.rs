use std::io::{Seek as _, Write as _};
use std::time::Duration;

use bide_store::{Batch, Store as _};

use super::*;
use crate::testing::{FUNCTION, at, directory, submission};
use crate::{LocalStore, OpenError, Options, verify};

const GROUPS: usize = 8;

/// A store of some groups, its journal, and where each group of it ends.
struct Written {
    directory: tempfile::TempDir,
    journal: PathBuf,
    ends: Vec<u64>,
}

async fn written() -> Written {
    let directory = directory();
    let store = LocalStore::open(directory.path(), Options::default()).expect("the store opens");
    for number in 0..GROUPS {
        let task = format!("task-{number}");
        let mut submission = submission(Some(&task), Duration::ZERO);
        submission.payload = vec![u8::try_from(number).expect("few groups"); 20_000].into();
        // Larger values are compressed in the journal, unless they cannot be.
        let batch = Batch { now: at(0), submissions: vec![submission], ..Batch::default() };
        store.commit(batch).await.expect("a commit");
    }
    drop(store);
    let journal = journals(&directory.path().join("store")).expect("a directory").pop().expect("a journal").1;
    let ends = ends(&journal);
    assert!(ends.len() > GROUPS, "the format, the start and the groups: {ends:?}");
    Written { directory, journal, ends }
}

fn ends(journal: &Path) -> Vec<u64> {
    let file = File::open(journal).expect("a journal");
    let length = file.metadata().expect("a journal").len();
    let mut reader = BufReader::new(file);
    let mut ends = vec![0];
    while let Some(bytes) = read_batch(&mut reader, length).expect("a read") {
        ends.push(ends.last().expect("it begins with one") + bytes);
    }
    ends
}

impl Written {
    fn overwrite(&self, place: u64, bytes: &[u8]) {
        let mut file = File::options().write(true).open(&self.journal).expect("a journal");
        file.seek(SeekFrom::Start(place)).expect("a place");
        file.write_all(bytes).expect("a write");
    }

    /// Opens the store: how many tasks it has.
    async fn tasks(&self) -> Result<u64, OpenError> {
        let report = verify(self.directory.path(), &mut |_| {})?;
        assert!(report.is_sound(), "{:#?}", report.problems);
        let store = LocalStore::open(self.directory.path(), Options::default())?;
        Ok(store.ledger(FUNCTION).await.expect("a read").accepted)
    }

    fn assert_refused(&self, opened: Result<u64, OpenError>, place: u64) {
        let Err(OpenError::Store(StoreError::Damaged { place: told, .. })) = opened else {
            panic!("not refused: {opened:?}")
        };
        let expected = format!("{} at byte {place}", self.journal.display());
        assert_eq!(told, expected);
    }
}

#[tokio::test]
async fn what_the_engine_writes_is_read_to_its_end() {
    let written = written().await;
    assert_eq!(
        examine(&written.journal).expect("a read"),
        (*written.ends.last().expect("groups"), Tail::Clean)
    );
    assert_eq!(written.tasks().await.expect("it opens"), GROUPS as u64);
}

#[tokio::test]
async fn an_end_that_was_cut_anywhere_costs_the_last_group_only() {
    for share in 1..10 {
        let written = written().await;
        let [.., begin, end] = written.ends[..] else { panic!("groups") };
        let length = begin + (end - begin) * share / 10;
        cut(&written.journal, length).expect("a write");
        assert_eq!(
            written.tasks().await.expect("it opens"),
            GROUPS as u64 - 1,
            "cut at {length} of {begin} to {end}"
        );
    }
}

#[tokio::test]
async fn an_end_whose_pages_came_out_of_order_costs_the_last_group_only() {
    for share in 0..10 {
        let written = written().await;
        let [.., begin, end] = written.ends[..] else { panic!("groups") };
        let place = begin + (end - begin) * share / 10;
        written.overwrite(place, &[0; 16]);
        assert_eq!(written.tasks().await.expect("it opens"), GROUPS as u64 - 1, "zeros at {place}");
    }
}

#[tokio::test]
async fn damage_before_the_last_group_is_told_and_nothing_is_cut() {
    for group in 0..GROUPS - 1 {
        let written = written().await;
        let [begin, end] = written.ends[group..group + 2] else { panic!("groups") };
        for place in [begin, (begin + end) / 2, end - 1] {
            let length = fs::metadata(&written.journal).expect("a journal").len();
            let bytes = fs::read(&written.journal).expect("a journal");
            written.overwrite(place, &[!bytes[usize::try_from(place).expect("a small journal")]]);
            written.assert_refused(written.tasks().await, begin);
            assert_eq!(fs::metadata(&written.journal).expect("a journal").len(), length);
            fs::write(&written.journal, bytes).expect("a write");
        }
        assert_eq!(written.tasks().await.expect("it opens"), GROUPS as u64);
    }
}

#[tokio::test]
async fn a_torn_end_of_an_older_journal_is_damage() {
    let written = written().await;
    let [.., begin, _] = written.ends[..] else { panic!("groups") };
    written.overwrite(begin + 20, &[0; 16]);
    fs::write(written.journal.with_file_name("7.jnl"), []).expect("a newer journal");
    written.assert_refused(written.tasks().await, begin);
}

#[test]
fn noise_is_no_batch() {
    for seed in 0_u8..=255 {
        let noise: Vec<u8> = (0..100_u8).map(|place| place.wrapping_mul(seed).rotate_left(3)).collect();
        assert_eq!(read_batch(&mut &noise[..], 100).expect("a read"), None);
    }
}
