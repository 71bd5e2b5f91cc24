use super::*;

fn packet_v4(destination: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![0; 20];
    packet[0] = 0x45;
    packet[16..20].copy_from_slice(&destination);
    packet
}

fn packet_v6(destination: Ipv6Addr) -> Vec<u8> {
    let mut packet = vec![0; 40];
    packet[0] = 0x60;
    packet[24..40].copy_from_slice(&destination.octets());
    packet
}

#[test]
fn the_destination_is_read_from_either_version() {
    assert_eq!(destination(&packet_v4([10, 1, 2, 3])), Some([10, 1, 2, 3].into()));
    let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9);
    assert_eq!(destination(&packet_v6(address)), Some(address.into()));
}

#[test]
fn packets_that_are_none_have_no_destination() {
    for packet in
        [&[][..], &[0x45], &packet_v4([1, 1, 1, 1])[..19], &packet_v6(ADDRESS_V6)[..39], &[0xff; 64]]
    {
        assert_eq!(destination(packet), None);
        assert!(!is_for_one_host(packet));
    }
}

#[test]
fn what_the_kernel_sends_to_groups_does_not_count() {
    assert!(is_for_one_host(&packet_v4([192, 0, 2, 1])));
    assert!(!is_for_one_host(&packet_v4([224, 0, 0, 22])));
    assert!(!is_for_one_host(&packet_v6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16))));
}
