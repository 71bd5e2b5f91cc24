use super::*;

#[test]
fn servers_are_replaced_and_search_domains_kept() {
    let host = "# made by dhcp\nnameserver 127.0.0.53\nnameserver 10.0.0.1\nsearch a.example b.example\noptions ndots:2\n";
    assert_eq!(resolv_conf(host), "nameserver 192.0.0.3\nsearch a.example b.example\noptions ndots:2\n");
}

#[test]
fn a_server_of_each_family_is_named_where_the_host_has_one() {
    let (v4, v6) = ("nameserver 192.0.0.3\n", "nameserver fd62:6964:6500::3\n");
    assert_eq!(resolv_conf("nameserver fe80::1%eth0\n"), v6);
    assert_eq!(resolv_conf("nameserver 10.0.0.1\nnameserver 2001:db8::1"), format!("{v4}{v6}"));
    assert_eq!(resolv_conf(""), v4);
    assert_eq!(resolv_conf("nameserver\nnameserver nonsense"), v4);
}

#[test]
fn what_is_too_long_is_left_out() {
    let host = format!("search {}\n{}", "x".repeat(LINE_BYTES_MAX), "options a\n".repeat(LINES_MAX + 5));
    assert_eq!(resolv_conf(&host).lines().count(), 1 + LINES_MAX);
}
