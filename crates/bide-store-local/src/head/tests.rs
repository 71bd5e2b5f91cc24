use std::cell::Cell;
use std::convert::Infallible;
use std::ops::Bound::{Excluded, Unbounded};

use proptest::prelude::*;

use super::*;

const TINY: HeadLimits = HeadLimits { refill: 3, max: 5, total: 100 };

fn position(number: u64) -> QueuePosition {
    (Timestamp::from_millis(number / 4), InvocationId::new(number + 1))
}

/// What happens to a queue.
#[derive(Clone, Copy, Debug)]
enum Act {
    Insert(u64),
    Remove(u64),
    /// Takes so many from the front.
    Take(usize),
    Read {
        after: Option<u64>,
        max: usize,
    },
    Cut(usize),
    Settle,
}

fn act() -> impl Strategy<Value = Act> {
    let number = 0_u64..40;
    prop_oneof![
        4 => number.clone().prop_map(Act::Insert),
        2 => number.clone().prop_map(Act::Remove),
        2 => (0_usize..6).prop_map(Act::Take),
        3 => (prop::option::of(number), 0_usize..12).prop_map(|(after, max)| Act::Read { after, max }),
        1 => (0_usize..5).prop_map(Act::Cut),
        1 => Just(Act::Settle),
    ]
}

/// The queue as it is on disk.
#[derive(Default)]
struct Disk(BTreeSet<QueuePosition>);

impl Disk {
    fn after(&self, after: Option<QueuePosition>, max: usize) -> Vec<QueuePosition> {
        self.0.range((after.map_or(Unbounded, Excluded), Unbounded)).take(max).copied().collect()
    }
}

fn read(head: &mut Head, disk: &Disk, after: Option<QueuePosition>, max: usize) -> Vec<QueuePosition> {
    let mut source = |after, max| Ok::<_, Infallible>(disk.after(Some(after), max));
    head.read(after, max, TINY, &mut source).expect("the disk of a test does not fail")
}

fn run(acts: &[Act], mut head: Head, mut disk: Disk) {
    for act in acts {
        match *act {
            Act::Insert(number) => {
                disk.0.insert(position(number));
                head.insert(position(number), TINY);
            }
            Act::Remove(number) => {
                disk.0.remove(&position(number));
                head.remove(position(number));
            }
            Act::Take(count) => {
                for taken in read(&mut head, &disk, None, count) {
                    assert!(disk.0.remove(&taken));
                    head.remove(taken);
                }
            }
            Act::Read { after, max } => {
                let after = after.map(position);
                assert_eq!(read(&mut head, &disk, after, max), disk.after(after, max), "{act:?} of {acts:?}");
            }
            Act::Cut(keep) => head.cut(keep),
            Act::Settle => {
                let mut source = |after, max| Ok::<_, Infallible>(disk.after(Some(after), max));
                let first = head.settle(TINY, &mut source).expect("the disk of a test does not fail");
                assert_eq!(first, disk.0.first().copied(), "{act:?} of {acts:?}");
            }
        }
        assert!(head.len() <= TINY.max.max(2 * TINY.refill), "{} entries in memory", head.len());
    }
    assert_eq!(read(&mut head, &disk, None, 100), disk.after(None, 100), "{acts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_head_says_what_the_disk_says(acts in prop::collection::vec(act(), 0..60)) {
        run(&acts, Head::empty(), Disk::default());
    }

    #[test]
    fn an_unread_head_finds_what_was_there(
        stored in prop::collection::btree_set(0_u64..40, 0..30),
        acts in prop::collection::vec(act(), 0..40),
    ) {
        run(&acts, Head::unread(), Disk(stored.into_iter().map(position).collect()));
    }
}

#[test]
fn a_long_queue_is_never_read_from_its_start_again() {
    let mut disk = Disk((0..1000).map(position).collect());
    let mut head = Head::unread();
    let earliest = Cell::new(START);
    for taken in 0..900 {
        let mut source = |after: QueuePosition, max| {
            assert!(after >= earliest.get(), "it read from {after:?} after {:?}", earliest.get());
            earliest.set(after);
            Ok::<_, Infallible>(disk.after(Some(after), max))
        };
        let first = head.read(None, 1, TINY, &mut source).expect("the disk of a test does not fail");
        assert_eq!(first, [position(taken)]);
        disk.0.remove(&position(taken));
        head.remove(position(taken));
    }
    assert!(earliest.get() >= position(890));
}
