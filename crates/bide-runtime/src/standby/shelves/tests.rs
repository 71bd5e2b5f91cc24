use super::*;

const NOW: Duration = Duration::from_secs(1000);
const NOTHING: [u64; 0] = [];

/// Starts everything that is due, each standby called by its number.
fn fill(shelves: &mut Shelves<&'static str, u64>, now: Duration) {
    while let Some((number, _)) = shelves.next_start(now) {
        assert_eq!(shelves.started(Some(number), now), None);
    }
}

fn filled(blank: &'static str) -> Shelves<&'static str, u64> {
    let mut shelves = Shelves::new(2);
    assert_eq!(shelves.ask(&blank, NOW), NOTHING);
    fill(&mut shelves, NOW);
    shelves
}

#[test]
fn nothing_stands_ready_before_somebody_has_asked() {
    let mut shelves = Shelves::<_, u64>::new(2);
    assert_eq!(shelves.next_start(NOW), None);
    assert_eq!(shelves.take(&"a", NOW), None);
    assert_eq!((shelves.next_start(NOW), shelves.next_moment()), (None, None), "taking is not asking");
}

#[test]
fn each_is_taken_once_and_only_by_its_like_and_is_replaced() {
    let mut shelves = filled("a");
    assert_eq!(shelves.stats(), StandbyStats { waiting: 2, missing: 0, used: 0 });
    assert_eq!(shelves.take(&"b", NOW), None);
    assert_eq!((shelves.take(&"a", NOW), shelves.take(&"a", NOW)), (Some(0), Some(1)));
    assert_eq!(shelves.take(&"a", NOW), None);
    assert_eq!(shelves.stats(), StandbyStats { waiting: 0, missing: 2, used: 2 });
    fill(&mut shelves, NOW);
    assert_eq!(shelves.take(&"a", NOW), Some(2));
}

#[test]
fn one_is_started_at_a_time() {
    let mut shelves = Shelves::new(2);
    shelves.ask(&"a", NOW);
    let (number, blank) = shelves.next_start(NOW).expect("asked for");
    assert_eq!((blank, shelves.next_start(NOW)), ("a", None));
    shelves.started(Some(number), NOW);
    assert!(shelves.next_start(NOW).is_some());
}

#[test]
fn a_number_of_zero_means_none_at_all() {
    let mut shelves = Shelves::<_, u64>::new(0);
    shelves.ask(&"a", NOW);
    assert_eq!((shelves.next_start(NOW), shelves.next_moment()), (None, None));
}

#[test]
fn failures_are_followed_by_pauses_that_double_until_one_is_used() {
    let mut shelves = Shelves::new(1);
    shelves.ask(&"a", NOW);
    let mut now = NOW;
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(shelves.next_start(now).map(|(_, blank)| blank), Some("a"));
        assert_eq!(shelves.started(None::<u64>, now), None);
        let again = now + Duration::from_secs(pause);
        assert_eq!(shelves.next_start(again - Duration::from_millis(1)), None, "pause of {pause} s");
        assert_eq!(shelves.next_moment(), Some(again));
        now = again;
    }
    fill(&mut shelves, now);
    assert_eq!(shelves.take(&"a", now), Some(8));
    fill(&mut shelves, now);
    assert_eq!(shelves.ended(9, now), Some(9));
    assert_eq!(shelves.next_moment(), Some(now + PAUSE_FIRST), "the one before was of use");
}

#[test]
fn one_that_ends_is_missed_and_one_that_was_taken_is_not() {
    let mut shelves = filled("a");
    let taken = shelves.take(&"a", NOW).expect("filled");
    assert_eq!(shelves.ended(taken, NOW), None);
    assert_eq!(shelves.ended(1, NOW), Some(1));
    assert_eq!(shelves.stats().missing, 2);
    assert_eq!(shelves.next_start(NOW), None, "after a pause");
    assert!(shelves.next_start(NOW + PAUSE_FIRST).is_some());
}

#[test]
fn what_nobody_asks_for_goes_and_is_not_replaced() {
    let mut shelves = filled("a");
    let later = NOW + Duration::from_secs(60);
    assert_eq!(shelves.take(&"a", later), Some(0));
    assert_eq!(shelves.expire(NOW + IDLE_TIMEOUT), NOTHING, "asked for since");
    assert_eq!(shelves.next_moment(), Some(NOW), "one is to be replaced at once");
    fill(&mut shelves, later);
    assert_eq!(shelves.next_moment(), Some(later + IDLE_TIMEOUT));
    assert_eq!(shelves.expire(later + IDLE_TIMEOUT), [1, 2]);
    assert_eq!((shelves.next_start(later + IDLE_TIMEOUT), shelves.next_moment()), (None, None));
}

#[test]
fn the_shelf_that_was_asked_for_longest_ago_makes_room() {
    let names: Vec<String> = (0..=BLANKS_MAX).map(|number| number.to_string()).collect();
    let mut shelves = Shelves::new(1);
    let mut now = NOW;
    for name in &names[..BLANKS_MAX] {
        now += Duration::from_secs(1);
        assert_eq!(shelves.ask(&name.as_str(), now), NOTHING);
        let (number, _) = shelves.next_start(now).expect("asked for");
        shelves.started(Some(number), now);
    }
    shelves.ask(&"0", now + Duration::from_secs(1));
    assert_eq!(shelves.ask(&names[BLANKS_MAX].as_str(), now + Duration::from_secs(2)), [1]);
    assert_eq!(shelves.stats(), StandbyStats { waiting: BLANKS_MAX - 1, missing: 1, used: 0 });
}

#[test]
fn what_is_started_for_a_shelf_that_has_gone_is_given_back() {
    let mut shelves = Shelves::new(1);
    shelves.ask(&"a", NOW);
    let (number, _) = shelves.next_start(NOW).expect("asked for");
    shelves.expire(NOW + IDLE_TIMEOUT);
    assert_eq!(shelves.started(Some(number), NOW), Some(number));
}

#[test]
fn closing_gives_everything_back_and_nothing_is_kept_afterwards() {
    let mut shelves = filled("a");
    assert_eq!(shelves.close(), [0, 1]);
    shelves.ask(&"a", NOW);
    assert_eq!((shelves.take(&"a", NOW), shelves.next_start(NOW)), (None, None));
}
