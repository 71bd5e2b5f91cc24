use bide_types::resource::{Code, Function, LifecycleHook, Runtime};
use bide_types::{FunctionName, ServiceName, Timestamp};

use super::members::GROWTH_PATIENCE;
use super::*;
use crate::executor::{ProvisionStatus, Scale};

mod minimum;

const CAPS: Caps = Caps { per_function: 6, per_account: 8, starts: 2, free_growth: 4 };

type TestBook = Book<u64, &'static str>;

fn book() -> TestBook {
    Book::new(CAPS, |number| number, |waiter: &&str| *waiter == "left")
}

fn spec(id: u64, concurrency: u32) -> Arc<FunctionSpec> {
    let function = Function {
        id: FunctionId::new(id),
        memory_mb: 128,
        instance_concurrency: concurrency,
        code: Code { digest: "00".to_owned(), crc64: 0, size_bytes: 0 },
        revision: 1,
        ..Function::new(
            AccountId::new("1").unwrap(),
            ServiceName::new("s").unwrap(),
            FunctionName::new("f").unwrap(),
            Runtime::parse("python3").unwrap(),
            "a.b".to_owned(),
            Timestamp::ZERO,
        )
    };
    Arc::new(FunctionSpec {
        function: Arc::new(function),
        qualifier: Qualifier::latest(),
        version_id: String::new(),
        region: String::new(),
        internet_access: false,
        role_arn: String::new(),
        scale: Scale::default(),
    })
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Takes a slot and, if it is cold, ends its start.
fn take_ready(book: &mut TestBook, spec: &Arc<FunctionSpec>, now: Duration) -> Option<u64> {
    let (grant, actions) = book.take(spec, now);
    for start in actions.start {
        book.started(&start.key, start.instance, now, None);
    }
    Some(grant?.instance)
}

#[test]
fn a_function_grows_up_to_its_cap_as_starts_end() {
    for concurrency in [1, 3] {
        let mut book = book();
        let spec = spec(1, concurrency);
        let key = Key::of(&spec);
        let mut started = 0;
        for _ in 0..CAPS.per_function {
            let mut taken = 0;
            while book.take(&spec, at(0)).0.is_some() {
                taken += 1;
            }
            assert!(taken <= CAPS.starts * concurrency as usize, "starts are limited");
            for number in started..book.next_member {
                book.started(&key, number, at(0), None);
            }
            started = book.next_member;
        }
        assert_eq!(book.stats().instances, CAPS.per_function);
        assert_eq!(book.stats().busy, CAPS.per_function * concurrency as usize);
    }
}

#[test]
fn short_runs_do_not_grow_beyond_the_cores_but_runs_that_do_not_end_do() {
    let mut book = book();
    let spec = spec(1, 1);
    let key = Key::of(&spec);
    let first = take_ready(&mut book, &spec, at(0)).unwrap();
    book.release(&key, first, at(1), Some(at(1)), true);
    for _ in 0..CAPS.free_growth {
        take_ready(&mut book, &spec, at(1)).unwrap();
    }
    assert_eq!(take_ready(&mut book, &spec, at(2)), None);
    assert!(book.is_wanting());
    assert!(take_ready(&mut book, &spec, at(2) + GROWTH_PATIENCE).is_some());
}

#[test]
fn the_line_is_served_in_order_and_those_who_left_are_passed_over() {
    let mut book = book();
    let spec = spec(1, 1);
    let key = Key::of(&spec);
    let number = take_ready(&mut book, &spec, at(0)).unwrap();
    for waiter in ["a", "left", "b"] {
        book.wait(&spec, at(0), waiter);
    }
    assert!(book.take(&spec, at(0)).0.is_none(), "nobody overtakes the line");
    let actions = book.release(&key, number, at(1), Some(at(1)), true);
    let served: Vec<_> =
        actions.grants.iter().map(|(waiter, grant)| (*waiter, grant.instance, grant.cold)).collect();
    assert_eq!(served, [("a", number, false), ("b", number + 1, true)]);
}

#[test]
fn whoever_asks_gets_a_slot_after_the_line_had_four() {
    let mut book = book();
    let spec = spec(1, 1);
    let key = Key::of(&spec);
    let mut numbers = Vec::new();
    while let Some(number) = take_ready(&mut book, &spec, at(0)) {
        numbers.push(number);
    }
    for waiter in ["a", "b", "c", "d", "e", "f"] {
        book.wait(&spec, at(0), waiter);
    }
    assert!(book.take(&spec, at(0)).0.is_none(), "there is a line");
    let mut served = Vec::new();
    let free = |book: &mut TestBook, now: Duration| {
        let actions = book.release(&key, numbers[0], now, Some(at(1)), true);
        actions.grants.into_iter().map(|(waiter, _)| waiter).collect::<Vec<_>>()
    };
    for _ in 0..5 {
        served.extend(free(&mut book, at(1)));
    }
    assert_eq!(served, ["a", "b", "c", "d"], "the fifth slot is held");
    assert!(book.take(&spec, at(2)).0.is_some(), "for whoever asked");
    assert_eq!(free(&mut book, at(3)), ["e"]);
}

#[test]
fn a_slot_that_nobody_comes_for_goes_to_the_line() {
    let mut book = book();
    let spec = spec(1, 1);
    let key = Key::of(&spec);
    while take_ready(&mut book, &spec, at(0)).is_some() {}
    for waiter in ["a", "b", "c", "d", "e"] {
        book.wait(&spec, at(0), waiter);
    }
    assert!(book.take(&spec, at(0)).0.is_none());
    for _ in 0..5 {
        book.release(&key, 0, at(1), Some(at(1)), true);
    }
    assert!(book.settle(at(2)).grants.is_empty());
    assert_eq!(book.settle(at(30)).grants.len(), 1);
}

#[test]
fn the_most_recently_used_instance_serves_and_the_others_are_reclaimed() {
    let mut book = book();
    let spec = spec(1, 1);
    let key = Key::of(&spec);
    let (one, two) =
        (take_ready(&mut book, &spec, at(0)).unwrap(), take_ready(&mut book, &spec, at(0)).unwrap());
    book.release(&key, two, at(10), None, true);
    book.release(&key, one, at(20), None, true);
    assert_eq!(take_ready(&mut book, &spec, at(30)), Some(one));
    assert_eq!(book.reclaim(at(40), at(30)).stop, [two]);
    assert_eq!(book.reclaim(at(100), at(30)).stop, [0_u64; 0], "a busy instance stays");
}

#[test]
fn a_retired_instance_ends_when_it_has_finished() {
    let mut book = book();
    let spec = spec(1, 1);
    let key = Key::of(&spec);
    let busy = take_ready(&mut book, &spec, at(0)).unwrap();
    let starting = book.take(&spec, at(0)).0.unwrap().instance;
    assert!(book.retire_but(key.function, &[]).stop.is_empty());
    assert_eq!(book.release(&key, busy, at(1), None, true).stop, [busy]);
    assert!(book.release(&key, starting, at(1), None, true).stop.is_empty());
    assert_eq!(book.started(&key, starting, at(2), None).stop, [starting]);
    assert_eq!(book.stats(), ExecutorStats::default());
}

#[test]
fn a_version_has_a_pool_of_its_own_and_goes_alone() {
    let mut book = book();
    let latest = spec(1, 1);
    let version = Qualifier::version(1);
    let published = Arc::new(FunctionSpec { qualifier: version.clone(), ..latest.as_ref().clone() });
    let ids = [&latest, &published].map(|spec| take_ready(&mut book, spec, at(0)).unwrap());
    assert_ne!(ids[0], ids[1]);
    for (spec, id) in [&latest, &published].into_iter().zip(ids) {
        book.release(&Key::of(spec), id, at(1), None, true);
        assert_eq!(take_ready(&mut book, spec, at(2)), Some(id), "each finds its own again");
        book.release(&Key::of(spec), id, at(3), None, true);
    }
    let both = [Qualifier::latest(), version];
    assert_eq!(book.retire_but(latest.function.id, &both).stop, [0_u64; 0]);
    assert_eq!(book.retire_but(latest.function.id, &both[..1]).stop, [ids[1]]);
    assert_eq!(take_ready(&mut book, &latest, at(4)), Some(ids[0]));
}

#[test]
fn an_instance_that_must_not_serve_again_counts_until_its_last_request_ends() {
    let mut book = book();
    let spec = spec(1, 2);
    let key = Key::of(&spec);
    for _ in 0..CAPS.per_function {
        let number = take_ready(&mut book, &spec, at(0)).unwrap();
        assert_eq!(take_ready(&mut book, &spec, at(0)), Some(number));
        book.release(&key, number, at(1), Some(at(1000)), false);
    }
    assert_eq!(book.stats().instances, CAPS.per_function);
    assert_eq!(take_ready(&mut book, &spec, at(1)), None, "each still runs something");
    book.release(&key, 0, at(2), Some(at(1000)), false);
    assert!(take_ready(&mut book, &spec, at(2)).is_some_and(|number| number > 0));
}

#[test]
fn at_the_cap_of_the_account_the_longest_idle_other_function_makes_room() {
    let mut book = book();
    let (one, two) = (spec(1, 1), spec(2, 1));
    let numbers: Vec<u64> = (0..6).map(|_| take_ready(&mut book, &one, at(0)).unwrap()).collect();
    take_ready(&mut book, &two, at(0)).unwrap();
    take_ready(&mut book, &two, at(0)).unwrap();
    assert!(book.may_wait(&two).is_err());
    assert!(take_ready(&mut book, &two, at(0)).is_none());
    book.release(&Key::of(&one), numbers[3], at(5), None, true);
    assert!(book.may_wait(&two).is_ok());
    let (grant, actions) = book.take(&two, at(6));
    assert_eq!(grant.map(|grant| grant.instance), actions.start.first().map(|start| start.instance));
    assert_eq!(actions.stop, [numbers[3]]);
}

#[test]
fn starts_that_take_long_make_room_for_others() {
    let mut book = book();
    let (slow, other) = (spec(1, 1), spec(2, 1));
    let grants: Vec<_> = (0..CAPS.starts).map(|_| book.take(&slow, at(0)).0.unwrap()).collect();
    assert!(book.take(&other, at(0)).0.is_none());
    book.wait(&other, at(0), "a");
    let actions = book.start_is_slow(&grants[0].key, grants[0].instance, at(1000));
    assert!(matches!(&actions.grants[..], [("a", grant)] if grant.cold));
    assert_eq!(book.starting(), CAPS.starts + 1);
    book.started(&grants[0].key, grants[0].instance, at(2000), None);
    assert!(book.take(&other, at(2000)).0.is_none(), "counted down once");
}

#[test]
fn a_start_that_ends_after_closing_is_counted_down() {
    let mut book = book();
    let spec = spec(1, 1);
    let grant = book.take(&spec, at(0)).0.unwrap();
    book.wait(&spec, at(0), "a");
    let (instances, waiters) = book.close();
    assert_eq!((instances, waiters), (vec![], vec!["a"]));
    assert_eq!(book.starting(), 1);
    book.started(&grant.key, grant.instance, at(1), None);
    assert_eq!(book.starting(), 0);
    assert!(book.take(&spec, at(1)).0.is_none());
}
