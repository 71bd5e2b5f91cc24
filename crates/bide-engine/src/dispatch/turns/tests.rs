use super::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn function(number: u64) -> FunctionId {
    FunctionId::new(number)
}

fn line(number: u64) -> Line {
    Line::latest(function(number))
}

/// Functions 10 to 19 belong to account a1, 20 to 29 to a2, and so on.
fn account_of(function: FunctionId) -> Option<AccountId> {
    Some(AccountId::new(&format!("a{}", function.get() / 10)).expect("valid"))
}

fn taken(slots: usize, used: usize, next_due: Option<u64>) -> Taken {
    Taken { slots, used, next_due: next_due.map(at) }
}

#[test]
fn accounts_take_turns_however_many_functions_each_has() {
    let mut turns = Turns::default();
    for number in [10, 11, 12, 20] {
        turns.work(line(number), at(1));
    }
    turns.wake(at(1), account_of);
    let order: Vec<u64> = std::iter::from_fn(|| turns.next()).map(|(line, _)| line.function.get()).collect();
    assert_eq!(order, [10, 20, 11, 12]);
}

#[test]
fn a_line_is_not_ready_before_it_is_due_and_an_earlier_hint_counts() {
    let mut turns = Turns::default();
    turns.work(line(10), at(500));
    turns.work(line(10), at(200));
    turns.work(line(10), at(900));
    assert_eq!(turns.next_wake(), Some(at(200)));
    turns.wake(at(199), account_of);
    assert_eq!(turns.next(), None);
    turns.wake(at(200), account_of);
    assert_eq!(turns.next(), Some((line(10), Turn::Run)));
    assert_eq!(turns.next_wake(), None);
}

#[test]
fn work_heard_of_during_a_claim_is_not_forgotten() {
    let mut turns = Turns::default();
    turns.work(line(10), at(1));
    turns.wake(at(1), account_of);
    turns.next();
    turns.claiming(&line(10), Turn::Run);
    turns.work(line(10), at(5));
    turns.claimed(line(10), &taken(1, 1, None), at(2), at(100));
    assert_eq!(turns.next_wake(), Some(at(5)));
}

#[test]
fn a_function_without_capacity_waits_for_capacity_or_its_sweep() {
    let mut turns = Turns::default();
    turns.work(line(10), at(1));
    turns.wake(at(1), account_of);
    turns.next();
    turns.block(line(10), at(50));
    turns.unblock(function(10), account_of(function(10)).as_ref());
    assert_eq!(turns.next(), Some((line(10), Turn::Run)));
    turns.block(line(10), at(60));
    turns.wake(at(60), account_of);
    assert_eq!(turns.next(), Some((line(10), Turn::Sweep)));
    turns.claiming(&line(10), Turn::Sweep);
    turns.claimed(line(10), &taken(0, 0, Some(1)), at(60), at(110));
    assert_eq!(turns.next_wake(), Some(at(110)));
    assert_eq!(turns.next(), None);
}

#[test]
fn hints_of_capacity_that_come_to_nothing_do_not_put_the_sweep_off() {
    let mut turns = Turns::default();
    turns.work(line(10), at(1));
    turns.wake(at(1), account_of);
    turns.next();
    turns.block(line(10), at(501));
    for now in [100, 200, 300, 400, 500] {
        turns.unblock(function(10), account_of(function(10)).as_ref());
        assert_eq!(turns.next(), Some((line(10), Turn::Run)));
        turns.block(line(10), at(now + 500));
    }
    turns.wake(at(500), account_of);
    assert_eq!(turns.next(), None);
    turns.wake(at(501), account_of);
    assert_eq!(turns.next(), Some((line(10), Turn::Sweep)));
}

#[test]
fn capacity_that_grows_during_a_sweep_is_used() {
    let mut turns = Turns::default();
    turns.work(line(10), at(1));
    turns.wake(at(1), account_of);
    turns.next();
    turns.claiming(&line(10), Turn::Sweep);
    turns.unblock(function(10), account_of(function(10)).as_ref());
    turns.claimed(line(10), &taken(0, 0, Some(1)), at(60), at(110));
    turns.wake(at(60), account_of);
    assert_eq!(turns.next(), Some((line(10), Turn::Run)));
}

#[test]
fn a_function_takes_more_slots_at_once_while_it_has_work_for_all() {
    let mut turns = Turns::default();
    let mut quanta = Vec::new();
    let story = [(1, 1), (2, 2), (3, 3), (8, 8), (16, 16), (16, 5), (5, 0), (1, 1)];
    for (slots, used) in story {
        turns.work(line(10), at(1));
        turns.wake(at(1), account_of);
        turns.next();
        quanta.push(turns.quantum(&line(10)));
        turns.claiming(&line(10), Turn::Run);
        turns.claimed(line(10), &taken(slots, used, Some(1)), at(1), at(100));
    }
    assert_eq!(quanta, [1, 2, 4, 8, 16, 16, 5, 1]);
    turns.wake(at(1), account_of);
    turns.next();
    turns.claiming(&line(10), Turn::Run);
    turns.claimed(line(10), &taken(2, 2, Some(50)), at(1), at(100));
    assert_eq!(turns.quantum(&line(10)), 1, "a line that has to wait starts anew");
}

#[test]
fn capacity_is_offered_to_every_line_of_the_function_that_lacks_it() {
    let mut turns = Turns::default();
    let prod = Line::new(function(10), Qualifier::new("prod").expect("valid"));
    for line in [line(10), prod.clone(), line(11)] {
        turns.work(line, at(1));
    }
    turns.wake(at(1), account_of);
    while let Some((line, _)) = turns.next() {
        turns.block(line, at(500));
    }
    turns.unblock(function(10), account_of(function(10)).as_ref());
    let unblocked: Vec<_> = std::iter::from_fn(|| turns.next()).collect();
    assert_eq!(unblocked, [(line(10), Turn::Run), (prod, Turn::Run)]);
}
