use std::io::Write as _;

use super::*;

fn report() -> (io::PipeWriter, Report) {
    let (pipe, writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&pipe, true).unwrap();
    (writer, Report { pipe, text: Vec::new() })
}

#[test]
fn it_is_ready_when_its_number_stands_alone_on_a_line() {
    let (mut writer, mut report) = report();
    assert_eq!(report.progress().unwrap(), Progress::Starting);
    writer.write_all(b"Namespace interface: eth0\n12").unwrap();
    assert_eq!(report.progress().unwrap(), Progress::Starting);
    writer.write_all(b"34\n").unwrap();
    assert_eq!(report.progress().unwrap(), Progress::Ready);
}

#[test]
fn its_last_words_say_why_it_did_not_start() {
    let (mut writer, mut report) = report();
    writer.write_all(b"Template interface: none\nNo external routable interface\n\n").unwrap();
    drop(writer);
    assert_eq!(report.progress().unwrap(), Progress::Starting);
    assert_eq!(report.progress().unwrap(), Progress::Failed("No external routable interface".to_owned()));
}

#[test]
fn what_it_says_is_bounded() {
    let (mut writer, mut report) = report();
    for _ in 0..4 {
        writer.write_all(&[b'x'; REPORT_BYTES_MAX]).unwrap();
        assert_eq!(report.progress().unwrap(), Progress::Starting);
    }
    assert_eq!(report.text.len(), REPORT_BYTES_MAX);
}

#[test]
fn no_port_is_forwarded_and_each_family_without_a_route_is_off() {
    let both = arguments(Families { v4: true, v6: true }).join(" ");
    assert!(!both.contains("--no-ndp"), "neighbours must be found: {both}");
    assert!(
        both.contains("--tcp-ports=none --udp-ports=none --tcp-ns=none --udp-ns=none --no-map-gw"),
        "{both}"
    );
    assert!(!both.contains("ipv4-only") && !both.contains("ipv6-only"), "{both}");
    assert!(arguments(Families { v4: true, v6: false }).contains(&"--ipv4-only".to_owned()));
    assert!(arguments(Families { v4: false, v6: true }).contains(&"--ipv6-only".to_owned()));
}
