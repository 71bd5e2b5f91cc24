use super::*;

#[test]
fn the_peak_is_found_in_a_status_text() {
    let text = b"Name:\tpython3\nVmPeak:\t   20 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 9 kB\n";
    assert_eq!(kilobytes_of(text, b"\nVmHWM:"), Some(1234));
    assert_eq!(kilobytes_of(b"Name:\tz\nState:\tZ (zombie)\n", b"\nVmHWM:"), None);
}

#[test]
fn the_peak_of_this_process_is_readable() {
    let gauge = MemoryGauge::open(std::process::id());
    assert!(gauge.peak_bytes() > 1024 * 1024);
}
