use super::*;

fn state() -> State {
    State {
        function: "s/f".to_owned(),
        instance: InstanceId::new("c-1").unwrap(),
        request: None,
        tail: VecDeque::new(),
        kept_bytes_max: LOG_TAIL_BYTES_MAX,
        cut_bytes: 0,
        has_printed: false,
        line: Vec::new(),
        emitted_bytes: 0,
        dropped_bytes: 0,
        ended: false,
    }
}

#[test]
fn the_tail_is_the_last_four_kilobytes_however_they_came() {
    let all: Vec<u8> = (0..20_000_u32).map(|number| b'a' + u8::try_from(number % 26).unwrap()).collect();
    for step in [1, 7, 4096, 5000, 20_000] {
        let mut state = state();
        all.chunks(step).for_each(|chunk| state.push(chunk));
        assert_eq!(state.cut_bytes, 20_000 - 4096, "in steps of {step}");
        assert_eq!(Vec::from(state.tail), all[all.len() - LOG_TAIL_BYTES_MAX..], "in steps of {step}");
    }
}

#[test]
fn a_long_line_is_cut_and_the_next_one_is_whole() {
    let mut state = state();
    state.push(&vec![b'x'; LOG_LINE_BYTES_MAX + 10]);
    assert_eq!((state.line.len(), state.dropped_bytes), (LOG_LINE_BYTES_MAX, 10));
    state.push(b"\nnext");
    assert_eq!(state.line, b"next");
}

#[test]
fn a_flood_is_counted_instead_of_emitted() {
    let mut state = state();
    for _ in 0..300 {
        state.push(&[b'x'; 10_000]);
        state.push(b"\n");
    }
    assert!(state.emitted_bytes <= EMITTED_BYTES_MAX);
    let emitted = 300 - state.dropped_bytes / 10_000;
    assert_eq!(state.emitted_bytes, emitted * (10_000 + LINE_COST_BYTES));
}

#[test]
fn a_flood_of_short_lines_is_not_emitted_as_a_hundred_times_its_size() {
    let mut state = state();
    state.push(&b"x\n".repeat(1_000_000));
    let emitted = 1_000_000 - state.dropped_bytes;
    assert_eq!(emitted, EMITTED_BYTES_MAX / (1 + LINE_COST_BYTES));
}
