use super::*;

fn at(minutes: i64) -> At {
    At::from_micros(minutes * 60_000_000)
}

#[test]
fn buckets_of_durations_follow_each_other_and_are_narrow() {
    let bucket = |millis: u64| match Label::duration(Duration::from_millis(millis)) {
        Label::Bucket(bucket) => bucket,
        other => panic!("{other:?}"),
    };
    let mut last = bucket(0);
    let mut since = 0;
    for millis in 1..200_000 {
        let next = bucket(millis);
        assert!(next == last || next == last + 1, "{millis}");
        if next != last {
            assert!(millis - since <= 1 + since / 16, "{since} to {millis}");
            (last, since) = (next, millis);
        }
    }
    assert_eq!(Label::duration(Duration::MAX), Label::Bucket(975));
}

#[test]
fn a_slot_is_a_quarter_of_an_hour() {
    assert_eq!(Slot::of(at(29)).start(), at(15));
    assert_eq!(Slot::of(at(30)).start(), at(30));
    assert_eq!(Slot::of(at(-1)).start(), at(-15));
}

#[test]
fn who_writes_first_opens_an_episode_and_waits() {
    let mut clock = ConversationClock::default();
    assert!(clock.receive(at(0)));
    assert!(!clock.receive(at(5)), "the same episode");
    assert_eq!(clock.reply(at(10)), (Some(at(0)), Some(at(0))));
    assert_eq!(clock.reply(at(11)), (None, None), "nobody waits");
    assert!(!clock.receive(at(20)));
    assert_eq!(clock.reply(at(30)), (Some(at(20)), None), "a reply, but no first one");
}

#[test]
fn a_day_of_silence_ends_an_episode() {
    let day = 24 * 60;
    let mut clock = ConversationClock::default();
    clock.receive(at(0));
    assert!(!clock.receive(at(day - 1)));
    assert!(clock.receive(at(2 * day - 1)));
    assert_eq!(clock.reply(at(2 * day)), (Some(at(0)), Some(at(2 * day - 1))), "waited for since the first, in the second episode");
}

#[test]
fn what_we_begin_is_no_episode_of_theirs() {
    let mut clock = ConversationClock::default();
    clock.reply(at(0));
    assert!(!clock.receive(at(10)));
    assert_eq!(clock.reply(at(12)), (Some(at(10)), None));
}

#[test]
fn what_was_sent_before_they_wrote_answers_nothing() {
    let mut clock = ConversationClock::default();
    clock.receive(at(10));
    assert_eq!(clock.reply(at(9)), (None, None));
    assert_eq!(clock.reply(at(12)), (Some(at(10)), Some(at(10))));
}

#[test]
fn two_conversations_that_become_one_wait_for_the_longer() {
    let one = ConversationClock { waiting_since: Some(at(5)), episode_since: None, last_active_at: Some(at(5)), answered_at: None };
    let other =
        ConversationClock { waiting_since: Some(at(3)), episode_since: Some(at(3)), last_active_at: Some(at(9)), answered_at: None };
    let joined =
        ConversationClock { waiting_since: Some(at(3)), episode_since: Some(at(3)), last_active_at: Some(at(9)), answered_at: None };
    assert_eq!(one.join(other), joined);
    assert_eq!(other.join(one), joined);
}
