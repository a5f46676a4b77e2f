//! Buckets, by a clock that stands still.

use governor::clock::FakeRelativeClock;

use super::*;

fn rate(per_second: u32, burst: u32) -> (Rate<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    let number = |number| NonZeroU32::new(number).unwrap();
    let rate = Rate::with_clock(number(per_second), number(burst), clock.clone());
    (rate, clock)
}

fn key(text: &str) -> Key {
    Key::address(text.parse().unwrap())
}

fn take(rate: &Rate<FakeRelativeClock>, key: &Key, units: u32) -> (u32, Option<u32>) {
    let standing = rate.take(key, NonZeroU32::new(units).unwrap());
    (standing.left, standing.wait_secs)
}

fn told(rate: &Rate<FakeRelativeClock>, standing: Standing) -> [String; 2] {
    let mut fields = HeaderMap::new();
    rate.tell(&mut fields, Some(standing));
    [POLICY, LEFT].map(|name| fields[name].to_str().unwrap().to_owned())
}

#[test]
fn section_3_line_8_a_burst_and_then_so_many_a_second() {
    let (rate, clock) = rate(2, 5);
    let one = key("192.0.2.1");
    for left in (0..5).rev() {
        assert_eq!(take(&rate, &one, 1), (left, None));
    }
    // A refusal costs nothing.
    for _ in 0..3 {
        assert_eq!(take(&rate, &one, 1), (0, Some(1)));
    }
    clock.advance(Duration::from_millis(499));
    assert_eq!(take(&rate, &one, 1), (0, Some(1)));
    clock.advance(Duration::from_millis(1));
    assert_eq!(take(&rate, &one, 1), (0, None));
    clock.advance(Duration::from_secs(60));
    assert_eq!(take(&rate, &one, 1), (4, None));
}

#[test]
fn each_has_a_bucket_of_its_own() {
    let (rate, _) = rate(1, 1);
    let id = "192.0.2.1";
    let keys = [
        key(id),
        key("192.0.2.2"),
        Key::Principal(matchbook_access::Kind::User, id.into()),
        Key::Principal(matchbook_access::Kind::Key, id.into()),
    ];
    for one in &keys {
        assert_eq!(take(&rate, one, 1), (0, None));
        assert_eq!(take(&rate, one, 1), (0, Some(1)));
    }
}

#[test]
fn several_are_taken_together_or_not_at_all() {
    let (rate, clock) = rate(2, 10);
    let one = key("192.0.2.1");
    assert_eq!(take(&rate, &one, 7), (3, None));
    // Five more units come in two seconds and a half.
    assert_eq!(take(&rate, &one, 8), (3, Some(3)));
    assert_eq!(take(&rate, &one, 3), (0, None));
    clock.advance(Duration::from_secs(4));
    assert_eq!(take(&rate, &one, 8), (0, None));
    // More than there will ever be.
    assert!(take(&rate, &one, 11).1.is_some());
}

#[test]
fn a_look_takes_nothing() {
    let (rate, _) = rate(1, 1);
    let one = key("192.0.2.1");
    assert_eq!(rate.wait_secs(&one), None);
    assert_eq!(rate.wait_secs(&one), None);
    assert_eq!(take(&rate, &one, 1), (0, None));
    assert_eq!(rate.wait_secs(&one), Some(1));
}

#[test]
fn full_buckets_are_forgotten_and_no_others() {
    let (rate, clock) = rate(1, 3);
    let one = key("192.0.2.1");
    assert_eq!(take(&rate, &one, 3), (0, None));
    for _ in 0..3 {
        rate.limiter.retain_recent();
        assert_eq!(rate.limiter.len(), 1);
        clock.advance(Duration::from_secs(1));
    }
    clock.advance(Duration::from_secs(1));
    rate.limiter.retain_recent();
    assert!(rate.limiter.is_empty());
    assert_eq!(take(&rate, &one, 3), (0, None));
}

#[test]
fn the_fields_say_what_is_left_and_when_it_is_all_there() {
    let standing = |left, wait_secs| Standing { left, wait_secs };
    let (slow, _) = rate(2, 5);
    let policy = r#""default";q=5;w=3"#;
    let cases = [
        (standing(5, None), r#""default";r=5;t=0"#),
        (standing(4, None), r#""default";r=4;t=1"#),
        (standing(0, None), r#""default";r=0;t=3"#),
        // The same as Retry-After.
        (standing(0, Some(1)), r#""default";r=0;t=1"#),
    ];
    for (standing, expected) in cases {
        assert_eq!(told(&slow, standing), [policy, expected]);
    }
    let (quick, _) = rate(100, 100);
    assert_eq!(told(&quick, standing(1, None))[0], r#""default";q=100;w=1"#);
}
