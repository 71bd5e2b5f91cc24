use super::*;

#[test]
fn a_request_is_laid_out_as_the_kernel_reads_it() {
    let bytes = message(16, REQUEST | ACK, &[7; 6], &attribute(3, &[1, 2, 3, 4, 5]));
    assert_eq!(bytes.len(), 16 + 8 + 12);
    assert_eq!(u32::from_ne_bytes(*bytes.first_chunk().unwrap()), 36);
    assert_eq!(bytes[16..24], [7, 7, 7, 7, 7, 7, 0, 0]);
    assert_eq!(find_attribute(&bytes[24..], 3), Some(&[1, 2, 3, 4, 5][..]));
    assert_eq!(find_attribute(&bytes[24..], 4), None);
}

#[test]
fn lengths_that_lie_end_the_reading() {
    let mut short = attribute(3, &[1]);
    short[0] = 200;
    assert_eq!(find_attribute(&short, 3), None);
    short[0] = 0;
    assert_eq!(find_attribute(&short, 3), None);
    let mut answer = message(DONE, 0, &[0; 4], &[]);
    answer[0] = 3;
    assert!(Messages(&answer).next().is_none());
    answer[0] = 255;
    assert!(Messages(&answer).next().is_none());
}

#[test]
fn a_refusal_carries_its_error_number() {
    assert!(outcome(&0_i32.to_ne_bytes()).is_ok());
    let refused = outcome(&(-libc::EPERM).to_ne_bytes()).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EPERM));
    assert!(outcome(&[]).is_err());
}

#[test]
fn the_kernel_lists_the_loopback_address_as_local() {
    let mut found = false;
    let request = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    Netlink::open()
        .unwrap()
        .dump(libc::RTM_GETROUTE, &request, |answer| {
            found |= find_attribute(&answer.body[12..], libc::RTA_DST) == Some(&[127, 0, 0, 1][..]);
        })
        .unwrap();
    assert!(found);
}

/// Inside a network of its own, so that nothing is changed for anybody.
fn in_a_network(story: impl FnOnce() + Send + 'static) {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: needs root, to make a network namespace");
        return;
    }
    let run = || {
        // SAFETY: this flag concerns neither memory nor descriptors.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.unwrap();
        story();
    };
    std::thread::spawn(run).join().unwrap();
}

#[test]
fn a_batch_is_done_whole_and_the_first_refusal_is_its_error() {
    use crate::network::device;
    in_a_network(|| {
        let (loopback, none) = (1, 77);
        let mut batch = Batch::default();
        device::add_up(&mut batch, loopback);
        device::add_address(&mut batch, loopback, IpAddr::from([192, 0, 2, 1]));
        Netlink::open().unwrap().commit(batch).unwrap();
        assert!(std::net::UdpSocket::bind("192.0.2.1:0").is_ok());

        let mut batch = Batch::default();
        device::add_up(&mut batch, loopback);
        device::add_up(&mut batch, none);
        device::add_address(&mut batch, loopback, IpAddr::from([192, 0, 2, 1]));
        let refused = Netlink::open().unwrap().commit(batch).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ENODEV), "and not EEXIST, which comes later");
        Netlink::open().unwrap().commit(Batch::default()).unwrap();
    });
}
